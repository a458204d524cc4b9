#!/usr/bin/env bash
# What the action runs: fetches what is needed, asks who has approved, judges the change, and shows the answer where GitHub shows such
# things. Inputs come as environment variables; none of them is ever a part of a command.
# shellcheck disable=SC2153
set -u
tollgate="$RUNNER_TEMP/tollgate/bin/tollgate"
annotations="$RUNNER_TEMP/tollgate.annotations"
summary="$RUNNER_TEMP/tollgate.md"
rm -f "$annotations" "$summary"
export GIT_TERMINAL_PROMPT=0

finish() {
  echo "exit-code=$1" >>"$GITHUB_OUTPUT"
  exit "$1"
}

undecided() {
  echo "::error title=tollgate::could not decide: $1"
  finish 2
}

# Git with the token for this forge alone, as the checkout action gives it; the token is never in an argument.
with_token() {
  if [ -z "$GITHUB_TOKEN" ]; then
    "$@"
  else
    # The empty value drops what the checkout action has set: two of these headers are refused.
    local key="http.${GITHUB_SERVER_URL:-https://github.com}/.extraheader"
    GIT_CONFIG_COUNT=2 GIT_CONFIG_KEY_0="$key" GIT_CONFIG_VALUE_0="" GIT_CONFIG_KEY_1="$key" \
      GIT_CONFIG_VALUE_1="AUTHORIZATION: basic $(printf 'x-access-token:%s' "$GITHUB_TOKEN" | base64 | tr -d '\n')" "$@"
  fi
}

# The history of the base branch, and the change: commits and folders only, since files are fetched when they are needed.
fetch_history() {
  local refs=()
  if [ -n "$BASE_BRANCH" ]; then refs+=("+refs/heads/$BASE_BRANCH:refs/remotes/origin/$BASE_BRANCH"); fi
  # `pull_request_target` has checked out the base; the change is fetched as data and is never checked out.
  if [ "$GITHUB_EVENT_NAME" = pull_request_target ]; then
    refs+=("+refs/pull/$PULL_REQUEST/head:refs/remotes/origin/tollgate-head")
  fi
  if [ "$(git -C "$REPO" rev-parse --is-shallow-repository)" = true ]; then
    echo "the checkout is shallow: fetching the rest of the history, without its files"
    with_token git -C "$REPO" fetch --quiet --no-tags --unshallow --filter=blob:none origin ${refs[@]+"${refs[@]}"}
  elif [ "${#refs[@]}" -gt 0 ]; then
    with_token git -C "$REPO" fetch --quiet --no-tags origin "${refs[@]}"
  fi
}

# Clones of the repositories that remote bases are in: https://HOST/PATH becomes FOLDER/HOST/PATH.git.
clone_sources() {
  local address place
  while read -r address; do
    if [ -z "$address" ]; then continue; fi
    if ! [[ "$address" =~ ^https://[A-Za-z0-9.:-]+(/[A-Za-z0-9_][A-Za-z0-9._-]*)+$ ]]; then
      echo "\`sources\` has a line that is not the address of a repository: write for example https://github.com/org/repo"
      return 1
    fi
    place=${address#https://}
    with_token git clone --quiet --bare -- "$address" "$RUNNER_TEMP/tollgate.sources/${place%.git}.git" || return 1
  done <<<"$SOURCES"
}

if [ "$COMMAND" = recheck ]; then
  status=0
  "$tollgate" recheck github --check "$CHECK" || status=$?
  finish "$status"
elif [ "$COMMAND" != check ]; then
  undecided "\`command\` is \`check\` or \`recheck\`"
fi

fetch_history || undecided "the history cannot be fetched"
arguments=(check --repo "$REPO" --fetch-missing --output "github=$annotations" --output "markdown=$summary")
if [ -n "$SOURCES" ]; then
  clone_sources || undecided "the repositories of \`sources\` cannot be cloned"
  arguments+=(--sources "$RUNNER_TEMP/tollgate.sources")
fi
is_pull_request=false
case "$GITHUB_EVENT_NAME" in pull_request | pull_request_target | pull_request_review) is_pull_request=true ;; esac
if [ -z "$REVIEW" ] && [ -n "$GITHUB_TOKEN" ] && { $is_pull_request || [ "$GITHUB_EVENT_NAME" = merge_group ]; }; then
  REVIEW="$RUNNER_TEMP/tollgate.review.json"
  "$tollgate" review github --repo "$REPO" --output "$REVIEW" || undecided "who has approved this is unknown"
fi
if [ -n "$REVIEW" ]; then arguments+=(--review "$REVIEW"); fi
if [ -n "$SARIF" ]; then arguments+=(--output "sarif=$SARIF"); fi
if [ -n "$HTML" ]; then arguments+=(--output "html=$HTML"); fi
if [ -n "$JSON" ]; then arguments+=(--output "json=$JSON"); fi
if [ -n "$SHARD" ]; then arguments+=(--shard "$SHARD"); fi

status=0
with_token "$tollgate" "${arguments[@]}" || status=$?
if [ -f "$annotations" ]; then cat "$annotations"; fi
if [ -f "$summary" ] && [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then cat "$summary" >>"$GITHUB_STEP_SUMMARY"; fi
if [ "$COMMENT" = true ] && $is_pull_request && [ -f "$summary" ]; then
  comment=(comment github --body "$summary")
  # Nobody needs to be told of what is allowed, unless another comment has said something else before.
  if [ "$status" -eq 0 ]; then comment+=(--existing); fi
  "$tollgate" "${comment[@]}" || echo "::warning title=tollgate::the comment could not be written"
fi
finish "$status"
