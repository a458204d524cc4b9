//! The variable `images`: the images of an object's containers in their parts.

use serde_json::{Map, Value as Json, json};

use super::autogen::is_controller;

/// Where a Pod is in an object.
const PODS: [&str; 3] = ["/spec", "/spec/template/spec", "/spec/jobTemplate/spec/template/spec"];

/// The images by list and by the name of the container, where there are any.
pub(super) fn of(object: &Json) -> Option<Json> {
    let mut lists = Map::new();
    let kind = object.get("kind").and_then(Json::as_str).unwrap_or_default();
    let pods = PODS.iter().filter(|_| kind == "Pod" || is_controller(kind));
    for (place, pod) in pods.filter_map(|pointer| Some((*pointer, object.pointer(pointer)?))) {
        for list in ["initContainers", "containers", "ephemeralContainers"] {
            let containers = pod.get(list).and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
            let image = |(at, container): (usize, &Json)| {
                let mut parts = parts(container.get("image")?.as_str()?);
                parts["jsonPointer"] = json!(format!("{place}/{list}/{at}/image"));
                Some((container.get("name")?.as_str()?.to_owned(), parts))
            };
            let images: Map<String, Json> = containers.iter().enumerate().filter_map(image).collect();
            if !images.is_empty() {
                lists.insert(list.to_owned(), Json::Object(images));
            }
        }
    }
    (!lists.is_empty()).then_some(Json::Object(lists))
}

/// `registry`, `path`, `name`, `tag`, `digest` and the whole, with the defaults of Docker.
fn parts(image: &str) -> Json {
    let (rest, digest) = image.split_once('@').map_or((image, None), |(rest, digest)| (rest, Some(digest)));
    let (path, tag) = match rest.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
        _ => (rest, None),
    };
    let (registry, path) = match path.split_once('/') {
        Some((first, path)) if first.contains(['.', ':']) || first == "localhost" || first.to_lowercase() != first => {
            (first, path)
        }
        _ => ("docker.io", path),
    };
    let tag = tag.or(if digest.is_none() { Some("latest") } else { None });
    let suffix = |sign: &str, part: Option<&str>| part.map_or_else(String::new, |part| format!("{sign}{part}"));
    let reference = match digest {
        Some(_) => format!("{registry}/{path}{}", suffix("@", digest)),
        None => format!("{registry}/{path}{}", suffix(":", tag)),
    };
    let mut parts = json!({
        "registry": registry, "path": path, "name": path.rsplit('/').next(), "reference": reference,
        "referenceWithTag": format!("{registry}/{path}:{}", tag.unwrap_or_default()),
    });
    for (name, part) in [("tag", tag), ("digest", digest)] {
        if let Some(part) = part {
            parts[name] = json!(part);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_in_their_parts() {
        let object = json!({"kind": "Deployment", "spec": {"template": {"spec": {"containers": [
            {"name": "a", "image": "nginx"}, {"name": "b", "image": "ghcr.io:443/org/app:1@sha256:ab"}]}}}});
        let images = of(&object).unwrap();
        assert_eq!(images["containers"]["a"]["registry"], "docker.io");
        assert_eq!(images["containers"]["a"]["tag"], "latest");
        assert_eq!(images["containers"]["b"]["registry"], "ghcr.io:443");
        assert_eq!(images["containers"]["b"]["name"], "app");
        assert_eq!(images["containers"]["b"]["digest"], "sha256:ab");
        assert_eq!(images["containers"]["b"]["jsonPointer"], "/spec/template/spec/containers/1/image");
        assert_eq!(of(&json!({"kind": "Widget", "spec": {"containers": [{"name": "a", "image": "x"}]}})), None);
    }
}
