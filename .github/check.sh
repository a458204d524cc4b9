#!/usr/bin/env bash
# What the action runs: asks who has approved, judges the change, and shows the answer where GitHub shows such things. Inputs come
# as environment variables; none of them is ever a part of a command.
set -u
tollgate="$RUNNER_TEMP/tollgate/bin/tollgate"
annotations="$RUNNER_TEMP/tollgate.annotations"
summary="$RUNNER_TEMP/tollgate.md"
rm -f "$annotations" "$summary"

finish() {
  echo "exit-code=$1" >>"$GITHUB_OUTPUT"
  exit "$1"
}

arguments=(check --repo "$REPO" --output "github=$annotations" --output "markdown=$summary")
if [ -z "$REVIEW" ] && [ -n "$GITHUB_TOKEN" ]; then
  case "$GITHUB_EVENT_NAME" in
    pull_request | pull_request_target | pull_request_review | merge_group)
      REVIEW="$RUNNER_TEMP/tollgate.review.json"
      if ! "$tollgate" review github --repo "$REPO" --output "$REVIEW"; then
        echo "could not decide: who has approved this is unknown"
        finish 2
      fi
      ;;
  esac
fi
# Whatever is judged reads this token no more.
unset GITHUB_TOKEN
if [ -n "$REVIEW" ]; then arguments+=(--review "$REVIEW"); fi
if [ -n "$SARIF" ]; then arguments+=(--output "sarif=$SARIF"); fi
if [ -n "$HTML" ]; then arguments+=(--output "html=$HTML"); fi

status=0
"$tollgate" "${arguments[@]}" || status=$?
if [ -f "$annotations" ]; then cat "$annotations"; fi
if [ -f "$summary" ] && [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then cat "$summary" >>"$GITHUB_STEP_SUMMARY"; fi
finish "$status"
