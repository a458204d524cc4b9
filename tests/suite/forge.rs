//! `tollgate review` against a server on this machine that answers as the forges document it.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::support::{Repository, files, run_in};

/// What the server answers to one request, and what it was asked.
struct Forge {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

/// Status, further headers, body.
type Reply = (u16, String, Value);

fn ok(body: Value) -> Vec<Reply> {
    vec![(200, String::new(), body)]
}

impl Forge {
    /// `routes` are by the beginning of `METHOD PATH`, the longest one counting; of several replies the last one stays.
    fn new(routes: Vec<(&str, Vec<Reply>)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let here = address.clone();
        let mut routes: BTreeMap<String, Vec<Reply>> =
            routes.into_iter().map(|(route, replies)| (route.to_owned(), replies)).collect();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let mut head = Vec::new();
                loop {
                    let mut line = String::new();
                    reader.read_line(&mut line).unwrap();
                    if line.trim().is_empty() {
                        break;
                    }
                    head.push(line.trim().to_owned());
                }
                let Some(first) = head.first().and_then(|line| line.strip_suffix(" HTTP/1.1")) else { continue };
                let length =
                    head.iter().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
                let mut body = vec![0; length.unwrap_or(0)];
                reader.read_exact(&mut body).unwrap();
                let token = head.iter().find(|line| {
                    let line = line.to_lowercase();
                    line.starts_with("authorization:") || line.starts_with("private-token:")
                });
                log.lock().unwrap().push(format!("{first} {}", token.cloned().unwrap_or_default()));
                let route = routes
                    .iter_mut()
                    .filter(|(route, _)| first.starts_with(route.as_str()))
                    .max_by_key(|it| it.0.len());
                let (status, headers, body) = match route {
                    Some((_, replies)) if replies.len() > 1 => replies.remove(0),
                    Some((_, replies)) => replies[0].clone(),
                    None => (404, String::new(), json!({"message": "Not Found"})),
                };
                let (headers, body) = (headers.replace("HERE", &here), body.to_string());
                let reply = format!(
                    "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n{body}",
                    body.len()
                );
                stream.write_all(reply.as_bytes()).unwrap();
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

const CONFIG: &str = "version: 1\nlayout: \"{app}/{env}\"\nenvironments:\n  - {name: production, protected: true}\n";
const CODEOWNERS: &str = "/api/ @org/oncall @org/secret\n";

/// A repository whose change needs the approval of `@org/oncall`, and the id of its head.
fn repository() -> (Repository, String) {
    let base = files(&[
        ("tollgate.yaml", CONFIG),
        ("CODEOWNERS", CODEOWNERS),
        ("api/production/kustomization.yaml", "configMapGenerator:\n  - {name: a, literals: [a=1]}\n"),
    ]);
    let mut head = base.clone();
    head.extend(files(&[(
        "api/production/kustomization.yaml",
        "configMapGenerator:\n  - {name: a, literals: [a=2]}\n",
    )]));
    let repository = Repository::new();
    let main = repository.commit("main", &base, "Ana <ana@example.com>", 1_700_000_000, &[]);
    let change = repository.commit("change", &head, "Ana <ana@example.com>", 1_700_000_100, &[main]);
    repository.check_out("change", &head);
    (repository, change.to_string())
}

fn user(login: &str) -> Value {
    json!({"login": login, "id": 1, "type": "User", "site_admin": false})
}

fn pull(number: u64, author: &str, head: &str) -> Value {
    json!({"number": number, "user": user(author), "labels": [{"name": "hotfix"}], "state": "open",
           "head": {"ref": "change", "sha": head}, "base": {"ref": "main", "sha": "b"}})
}

fn approval(login: &str, commit: &str) -> Value {
    json!({"id": 80, "user": user(login), "body": "", "state": "APPROVED", "commit_id": commit,
           "submitted_at": "2026-01-02T10:00:00Z"})
}

fn commit(sha: &str, login: &str, message: &str) -> Value {
    let who = json!({"name": login, "email": format!("{login}@example.com"), "date": "2026-01-01T10:00:00Z"});
    json!({"sha": sha, "commit": {"author": who, "committer": who, "message": message}, "author": user(login), "committer": {}})
}

fn variables<'a>(forge: &'a Forge, event: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("GITHUB_TOKEN", "s3cret"),
        ("GITHUB_API_URL", &forge.address),
        ("GITHUB_REPOSITORY", "org/config"),
        ("GITHUB_EVENT_PATH", event),
    ]
}

#[test]
fn a_pull_request_on_github_is_asked_for_page_by_page() {
    let (repository, head) = repository();
    let reviews = "/repos/org/config/pulls/7/reviews?";
    let next = format!("Link: <HERE{reviews}&per_page=100&page=2>; rel=\"next\", <HERE/x>; rel=\"last\"\r\n");
    let message =
        "Change\n\nCo-authored-by: Dan <dan@home.example>\nCo-authored-by: Eve <9+eve@users.noreply.github.com>";
    let nodes = json!([{"email": "ana@example.com", "user": {"login": "ana"}}, {"email": "dan@home.example", "user": {"login": "dan-at-work"}}]);
    let landed = json!([{"number": 6, "merged_at": "2026-01-01T09:00:00Z", "merge_commit_sha": "abc"}, {"number": 5, "merged_at": null, "merge_commit_sha": "x"}]);
    let forge = Forge::new(vec![
        (
            "GET /repos/org/config/pulls/7",
            vec![
                (502, String::new(), json!({})),
                (429, "Retry-After: 0\r\n".to_owned(), json!({})),
                (200, String::new(), pull(7, "ana", &head)),
            ],
        ),
        (
            "GET /repos/org/config/pulls/7/reviews",
            vec![
                (
                    200,
                    next,
                    json!([approval("cem", "old"), {"user": null, "state": "APPROVED", "commit_id": null, "submitted_at": "2026-01-02T10:00:00Z"}]),
                ),
                (
                    200,
                    String::new(),
                    json!([approval("ben", &head), {"user": user("x"), "state": "PENDING", "commit_id": head}]),
                ),
            ],
        ),
        ("GET /repos/org/config/pulls/7/commits", ok(json!([commit(&head, "ana", message)]))),
        ("POST /graphql", ok(json!({"data": {"repository": {"object": {"authors": {"nodes": nodes}}}}}))),
        ("GET /repos/org/config/pulls?state=closed", ok(landed)),
        ("GET /orgs/org/teams/oncall/members", ok(json!([user("ben"), user("dan-at-work")]))),
    ]);
    let event = repository.path().join(".git/event.json");
    std::fs::write(&event, json!({"pull_request": {"number": 7}}).to_string()).unwrap();
    let file = repository.path().join(".git/review.json");
    let event = event.to_str().unwrap();
    let ran =
        run_in(repository.path(), &["review", "github", "--output", file.to_str().unwrap()], &variables(&forge, event));
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.err);
    assert!(ran.err.contains("may not read the members of `@org/secret`"), "{}", ran.err);
    assert!(forge.asked().iter().all(|asked| asked.to_lowercase().ends_with("authorization: bearer s3cret")));
    let told: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(told["schema"], "tollgate.review/1");
    assert_eq!(
        told["pullRequest"],
        json!({"number": 7, "author": {"login": "ana", "type": "User"}, "labels": ["hotfix"]})
    );
    assert_eq!(told["reviews"].as_array().unwrap().len(), 2);
    assert_eq!(told["teams"], json!({"org/oncall": ["ben", "dan-at-work"]}));
    assert_eq!(told["landings"], json!([{"commit": "abc", "mergedAt": "2026-01-01T09:00:00Z"}]));
    let co_authors: Vec<&Value> =
        told["commits"][0]["coAuthors"].as_array().unwrap().iter().map(|it| &it["login"]).collect();
    assert_eq!(co_authors, ["dan-at-work", "eve"]);

    // The gate takes it as it is, and a co-author's approval does not count.
    let check = |file: &str| {
        run_in(repository.path(), &["check", "--base", "main", "--rule", "owners/unapproved", "--review", file], &[])
    };
    let ran = check(file.to_str().unwrap());
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let by_co_author = std::fs::read_to_string(&file).unwrap().replace("\"ben\"", "\"dan-at-work\"");
    std::fs::write(&file, by_co_author).unwrap();
    let ran = check(file.to_str().unwrap());
    assert!(ran.code == 1 && ran.out.contains("dan-at-work wrote part of this change"), "{}{}", ran.out, ran.err);
}

#[test]
fn the_pull_requests_of_a_merge_group_are_a_chain_of_branches() {
    let (repository, head) = repository();
    let branch = |number: u64, below: &str| format!("refs/heads/gh-readonly-queue/main/pr-{number}-{below}");
    let reference = |number: u64, below: &str, sha: &str| json!({"ref": branch(number, below), "object": {"type": "commit", "sha": sha}});
    let request = |number: u64, file: &str| {
        let renamed = json!([{"filename": file, "status": "renamed", "previous_filename": format!("{file}.old")}]);
        vec![
            (format!("GET /repos/org/config/pulls/{number}"), ok(pull(number, "ana", "h"))),
            (format!("GET /repos/org/config/pulls/{number}/reviews"), ok(json!([approval("ben", "h")]))),
            (format!("GET /repos/org/config/pulls/{number}/commits"), ok(json!([commit("c", "ana", "x")]))),
            (format!("GET /repos/org/config/pulls/{number}/files"), ok(renamed)),
        ]
    };
    let routes: Vec<(String, Vec<Reply>)> = [request(7, "a"), request(8, "b")].concat();
    let mut routes: Vec<(&str, Vec<Reply>)> =
        routes.iter().map(|(route, reply)| (route.as_str(), reply.clone())).collect();
    let references =
        json!([reference(7, "base", "seven"), reference(8, "seven", &head), reference(9, "eight", "nine")]);
    routes.extend([
        ("GET /repos/org/config/git/matching-refs/heads/gh-readonly-queue/main/", ok(references)),
        ("GET /repos/org/config/pulls?state=closed", ok(json!([]))),
        ("GET /orgs/org/teams/", ok(json!([user("ben")]))),
    ]);
    let forge = Forge::new(routes);
    let event = repository.path().join(".git/event.json");
    let group =
        |below: &str| json!({"merge_group": {"head_sha": head, "head_ref": branch(8, below), "base_sha": "base"}});
    std::fs::write(&event, group("seven").to_string()).unwrap();
    let ran = run_in(repository.path(), &["review", "github"], &variables(&forge, event.to_str().unwrap()));
    assert_eq!(ran.code, 0, "{}", ran.err);
    let told: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(told["head"], head);
    let numbers: Vec<&Value> = told["pullRequests"].as_array().unwrap().iter().map(|it| &it["number"]).collect();
    assert_eq!(numbers, [7, 8]);
    assert_eq!(told["pullRequests"][1]["files"], json!(["b", "b.old"]));
    std::fs::write(&event, group("gone").to_string()).unwrap();
    let ran = run_in(repository.path(), &["review", "github"], &variables(&forge, event.to_str().unwrap()));
    assert!(ran.code == 2 && ran.err.contains("no branch that ends with gone"), "{}", ran.err);
}

#[test]
fn approvals_on_gitlab_are_of_the_version_that_they_were_given_for() {
    let (repository, head) = repository();
    let author = json!({"id": 1, "username": "ana", "name": "Ana A", "state": "active"});
    let person =
        |id: u64, name: &str| json!({"id": id, "username": name, "name": name.to_uppercase(), "state": "active"});
    let member = |name: &str, level: u64| json!({"id": 2, "username": name, "state": "active", "access_level": level});
    let merge = "GET /projects/team%2Fconfig/merge_requests/3";
    let note = json!({"system": true, "body": "approved this merge request", "author": person(3, "cem"), "created_at": "2026-01-01T08:00:00.000Z"});
    let sub = |rest: &str| format!("{merge}{rest}");
    let approvals = json!({"approved": true, "approved_by": [
        {"user": person(2, "ben"), "approved_at": "2026-01-02T10:00:00.123Z"}, {"user": person(3, "cem")}]});
    let versions = json!([{"id": 2, "head_commit_sha": head, "created_at": "2026-01-02T09:00:00Z"},
                          {"id": 1, "head_commit_sha": "old", "created_at": "2026-01-01T07:00:00Z"}]);
    let commits = json!([{"id": head, "author_name": "Ana A", "author_email": "a@b.c", "committer_name": "Ana A", "committer_email": "a@b.c", "message": "x"}]);
    let routes = [
        (sub(""), ok(json!({"iid": 3, "author": author, "sha": head, "target_branch": "main", "labels": []}))),
        (sub("/approvals"), ok(approvals)),
        (sub("/versions"), ok(versions)),
        (sub("/notes"), ok(json!([note]))),
        (sub("/commits"), ok(commits)),
        (
            "GET /projects/team%2Fconfig/merge_requests?state=merged".to_owned(),
            ok(
                json!([{"merged_at": "2026-01-01T00:00:00Z", "merge_commit_sha": null, "squash_commit_sha": null, "sha": "ff"}]),
            ),
        ),
        ("GET /users/".to_owned(), ok(json!({"id": 1, "bot": false}))),
        ("GET /groups/org%2Foncall/members".to_owned(), ok(json!([member("ben", 30), member("guest", 10)]))),
    ];
    let forge = Forge::new(routes.iter().map(|(route, reply)| (route.as_str(), reply.clone())).collect());
    let ci = [("GITLAB_TOKEN", "s3cret"), ("CI_API_V4_URL", forge.address.as_str())];
    let ran = run_in(repository.path(), &["review", "gitlab", "--project", "team/config", "--number", "3"], &ci);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let told: Value = serde_json::from_str(&ran.out).unwrap();
    let said: Vec<(&Value, &Value)> =
        told["reviews"].as_array().unwrap().iter().map(|said| (&said["user"]["login"], &said["commit"])).collect();
    assert_eq!(said, [(&json!("ben"), &json!(head)), (&json!("cem"), &json!("old"))]);
    assert_eq!(told["teams"], json!({"org/oncall": ["ben"]}));
    assert_eq!(told["landings"][0]["commit"], "ff");
    assert!(forge.asked().iter().all(|asked| asked.to_lowercase().ends_with("private-token: s3cret")));
}

#[test]
fn a_forge_that_does_not_tell_leaves_it_undecided() {
    let (repository, _) = repository();
    let elsewhere = "Link: <https://elsewhere.example/x>; rel=\"next\"\r\n".to_owned();
    let forge = Forge::new(vec![
        ("GET /repos/org/config/pulls/1", vec![(401, String::new(), json!({"message": "Bad credentials"}))]),
        ("GET /repos/org/config/pulls/2", ok(pull(2, "ana", "h"))),
        ("GET /repos/org/config/pulls/2/reviews", vec![(200, elsewhere, json!([]))]),
        ("GET /repos/org/config/pulls/3", vec![(429, "Retry-After: 4000\r\n".to_owned(), json!({}))]),
        ("GET /repos/org/config/pulls/4", ok(json!({"login": "page"}))),
    ]);
    for (number, why) in [
        ("1", "status 401: Bad credentials"),
        ("2", "which is another place"),
        ("3", "allows no more requests until"),
        ("4", "answers something unexpected"),
        ("5", "status 404: Not Found"),
    ] {
        let ran = run_in(repository.path(), &["review", "github", "--number", number], &variables(&forge, ""));
        assert!(ran.code == 2 && ran.err.contains(why) && ran.err.contains("help: "), "{number}: {}", ran.err);
        assert!(!ran.err.contains("s3cret"), "{}", ran.err);
    }
    let ran = run_in(repository.path(), &["review", "github", "--number", "1"], &[("GITHUB_REPOSITORY", "o/r")]);
    assert!(ran.code == 2 && ran.err.contains("set `GITHUB_TOKEN` or `GH_TOKEN`"), "{}", ran.err);
    let ran = run_in(repository.path(), &["review", "github"], &variables(&forge, ""));
    assert!(ran.code == 2 && ran.err.contains("`--number N`"), "{}", ran.err);
    let nobody = [("GITLAB_TOKEN", "x"), ("CI_API_V4_URL", "http://127.0.0.1:9"), ("CI_PROJECT_ID", "1")];
    let ran = run_in(repository.path(), &["review", "gitlab"], &nobody);
    assert!(ran.code == 2 && ran.err.contains("which merge request"), "{}", ran.err);
}

fn in_ci(forge: &Forge) -> [(&str, &str); 3] {
    [("GITHUB_TOKEN", "s3cret"), ("GITHUB_API_URL", &forge.address), ("GITHUB_REPOSITORY", "org/config")]
}

#[test]
fn one_comment_is_kept_on_a_pull_request() {
    let folder = tempfile::tempdir().unwrap();
    let body = folder.path().join("report.md");
    std::fs::write(&body, "## Tollgate: refused\n").unwrap();
    let comment =
        |id: u64, kind: &str, body: &str| json!({"id": id, "user": {"login": "x", "type": kind}, "body": body});
    let ours = "<!-- tollgate -->\nold";
    let routes = |there: Value| {
        vec![
            ("GET /user", vec![(403, String::new(), json!({"message": "Resource not accessible by integration"}))]),
            ("GET /repos/org/config/issues/7/comments", ok(there)),
            ("POST /repos/org/config/issues/7/comments", vec![(201, String::new(), json!({"id": 9}))]),
            ("PATCH /repos/org/config/issues/comments/", ok(json!({"id": 2}))),
        ]
    };
    // A person's comment that begins alike is not ours.
    let theirs = json!([comment(1, "User", ours), comment(3, "Bot", "other")]);
    let both = json!([comment(1, "User", ours), comment(2, "Bot", ours)]);
    for (there, more, expected) in [
        (theirs.clone(), "--body", "POST /repos/org/config/issues/7/comments"),
        (theirs, "--existing", ""),
        (both, "--existing", "PATCH /repos/org/config/issues/comments/2"),
    ] {
        let forge = Forge::new(routes(there));
        let mut arguments = vec!["comment", "github", "--number", "7", "--body", body.to_str().unwrap()];
        if more == "--existing" {
            arguments.push(more);
        }
        let ran = run_in(folder.path(), &arguments, &in_ci(&forge));
        assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.err);
        let written: Vec<String> = forge.asked().into_iter().filter(|asked| !asked.starts_with("GET ")).collect();
        assert!(written.len() <= 1 && written.join("").starts_with(expected), "{written:?}");
        assert_eq!(written.is_empty(), expected.is_empty());
    }
    // What may have been done is not done again.
    let mut failing = routes(json!([]));
    failing[2].1 = vec![(502, String::new(), json!({}))];
    let forge = Forge::new(failing);
    let ran = run_in(
        folder.path(),
        &["comment", "github", "--number", "7", "--body", body.to_str().unwrap()],
        &in_ci(&forge),
    );
    assert!(ran.code == 2 && ran.err.contains("status 502"), "{}", ran.err);
    assert_eq!(forge.asked().iter().filter(|asked| asked.starts_with("POST ")).count(), 1);
    std::fs::write(&body, "x".repeat(70_000)).unwrap();
    let ran = run_in(folder.path(), &["comment", "github", "--body", body.to_str().unwrap()], &in_ci(&forge));
    assert!(ran.code == 2 && ran.err.contains("65536 characters"), "{}", ran.err);
}

#[test]
fn checks_run_again_on_github_when_their_answer_no_longer_holds() {
    let folder = tempfile::tempdir().unwrap();
    let pulls: Vec<Value> = (1..=6).map(|number| pull(number, "ana", &format!("head{number}"))).collect();
    let check = |id: u64, status: &str| {
        ok(
            json!({"total_count": 1, "check_runs": [{"id": id, "status": status, "started_at": "2026-01-02T09:00:00Z", "name": "gate"}]}),
        )
    };
    let holds = |until: &str| {
        ok(
            json!([{"title": "tollgate holds until", "message": format!("{until} (unless the repository changes)"), "annotation_level": "notice"}]),
        )
    };
    let dismissed = json!([{"event": "labeled", "created_at": "2026-01-01T09:00:00Z"},
                           {"event": "review_dismissed", "created_at": "2026-01-03T09:00:00Z"}]);
    let mut routes = vec![("GET /repos/org/config/pulls?state=open".to_owned(), ok(json!(pulls)))];
    for number in 1..=6 {
        let status = if number == 4 { "in_progress" } else { "completed" };
        routes.extend([
            (
                format!("GET /repos/org/config/commits/head{number}/check-runs?check_name=gate&"),
                if number == 5 { ok(json!({"total_count": 0, "check_runs": []})) } else { check(number + 10, status) },
            ),
            (
                format!("GET /repos/org/config/check-runs/{}/annotations", number + 10),
                holds(if number == 1 { "2026-01-02T10:00:00Z" } else { "2999-01-02T10:00:00Z" }),
            ),
            (
                format!("GET /repos/org/config/pulls/{number}/reviews"),
                ok(if number == 2 { json!([approval("ben", "h")]) } else { json!([]) }),
            ),
            (
                format!("GET /repos/org/config/issues/{number}/events"),
                ok(if number == 6 { dismissed.clone() } else { json!([]) }),
            ),
        ]);
    }
    routes.push(("POST /repos/org/config/actions/jobs/".to_owned(), vec![(201, String::new(), json!({}))]));
    let refused = vec![(403, String::new(), json!({"message": "Unable to retry this workflow run"}))];
    routes.push(("POST /repos/org/config/actions/jobs/16".to_owned(), refused));
    let forge = Forge::new(routes.iter().map(|(route, reply)| (route.as_str(), reply.clone())).collect());
    let ran = run_in(folder.path(), &["recheck", "github", "--check", "gate"], &in_ci(&forge));
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(
        lines[..5],
        [
            "1: run again: its answer held until 2026-01-02 10:00 UTC",
            "2: run again: it was reviewed at 2026-01-02 10:00 UTC",
            "3: its answer holds",
            "4: its check has not ended",
            "5: it has no check `gate` (`--check` names another)",
        ],
        "{}",
        ran.err
    );
    assert!(ran.code == 2 && lines[5].contains("Unable to retry this workflow run"), "{}", ran.out);
    let again: Vec<String> = forge.asked().into_iter().filter(|asked| asked.starts_with("POST")).collect();
    assert!(
        again[0].contains("/jobs/11/rerun") && again[1].contains("/jobs/12/rerun") && again.len() == 3,
        "{again:?}"
    );
}

#[test]
fn gitlab_has_the_same_powers() {
    let folder = tempfile::tempdir().unwrap();
    let body = folder.path().join("report.md");
    std::fs::write(&body, "## Tollgate: refused\n").unwrap();
    let author = |id: u64| json!({"id": id, "username": "x", "name": "X"});
    let note = |id: u64, author_id: u64| json!({"id": id, "system": false, "body": "<!-- tollgate -->\nx", "author": author(author_id), "created_at": "2026-01-01T08:00:00Z"});
    let request = |number: u64| json!({"iid": number, "author": author(1), "sha": "h", "target_branch": "main"});
    let job = |id: u64, name: &str, status: &str| json!({"id": id, "name": name, "status": status, "started_at": "2026-01-02T09:00:00.5Z"});
    let forge = Forge::new(vec![
        ("GET /user", ok(author(5))),
        ("GET /projects/1/merge_requests/3/notes", ok(json!([note(7, 4), note(8, 5)]))),
        ("PUT /projects/1/merge_requests/3/notes/8", ok(json!({}))),
        ("GET /projects/1/merge_requests?state=opened", ok(json!([request(3), request(4)]))),
        ("GET /projects/1/merge_requests/3/pipelines", ok(json!([{"id": 30}, {"id": 20}]))),
        ("GET /projects/1/merge_requests/4/pipelines", ok(json!([]))),
        ("GET /projects/1/pipelines/30/jobs", ok(json!([job(300, "tollgate", "failed"), job(301, "test", "success")]))),
        ("GET /projects/1/jobs/300/artifacts/tollgate.json", ok(json!({"validUntil": "2026-01-02T10:00:00Z"}))),
        ("GET /projects/1/merge_requests/3/approvals", ok(json!({"approved_by": []}))),
        ("POST /projects/1/jobs/300/retry", vec![(201, String::new(), json!({"id": 302}))]),
    ]);
    let ci = [("GITLAB_TOKEN", "s3cret"), ("CI_API_V4_URL", forge.address.as_str()), ("CI_PROJECT_ID", "1")];
    let ran = run_in(folder.path(), &["comment", "gitlab", "--number", "3", "--body", body.to_str().unwrap()], &ci);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let ran = run_in(folder.path(), &["recheck", "gitlab"], &ci);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let expected = "3: run again: its answer held until 2026-01-02 10:00 UTC\n4: it has no check `tollgate` (`--check` names another)\n";
    assert_eq!(ran.out, expected);
    let written: Vec<String> = forge.asked().into_iter().filter(|asked| !asked.starts_with("GET ")).collect();
    assert!(written.len() == 2 && written[0].starts_with("PUT /projects/1/merge_requests/3/notes/8 "), "{written:?}");
}
