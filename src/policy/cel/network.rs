//! Addresses of networks and of the web in CEL, as in Kubernetes
//! (<https://kubernetes.io/docs/reference/using-api/cel/#kubernetes-url-library>).

#![expect(clippy::needless_pass_by_value, clippy::unnecessary_wraps, reason = "it is the crate's type of a function")]

use std::collections::HashMap;
use std::net::IpAddr;

use cel::common::functions::Function;
use cel::common::types::{CelBool, CelInt, CelList, CelMap, CelMapKey, CelString, STRING_TYPE, Type};
use cel::common::value::{CowVal, Val};
use cel::{DeclarationError, Env, ExecutionError};
use percent_encoding::percent_decode_str;

use super::opaque::{Arguments, Returned, opaque};

opaque!(URL, "kubernetes.URL", struct Url(UrlParts));
opaque!(IP, "net.IP", struct Ip(IpAddr));
opaque!(CIDR, "net.CIDR", struct Cidr(IpAddr, u8));

#[derive(Debug, Clone, PartialEq, Default)]
struct UrlParts {
    scheme: String,
    host: String,
    path: String,
    query: String,
}

/// Reads an absolute address, or an absolute path.
fn read_url(text: &str) -> Option<UrlParts> {
    if text.is_empty() || text.chars().any(|it| it.is_control() || it == ' ') {
        return None;
    }
    let text = text.split('#').next().unwrap_or_default();
    let (before, query) = text.split_once('?').unwrap_or((text, ""));
    let query = query.to_owned();
    if before.starts_with('/') {
        return Some(UrlParts { path: before.to_owned(), query, ..UrlParts::default() });
    }
    let (scheme, rest) = before.split_once(':')?;
    let is_scheme = scheme.starts_with(|it: char| it.is_ascii_alphabetic())
        && scheme.chars().all(|it| it.is_ascii_alphanumeric() || matches!(it, '+' | '-' | '.'));
    if !is_scheme {
        return None;
    }
    let scheme = scheme.to_ascii_lowercase();
    let Some(rest) = rest.strip_prefix("//") else {
        return Some(UrlParts { scheme, path: rest.to_owned(), query, ..UrlParts::default() });
    };
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let host = authority.rsplit('@').next().unwrap_or_default().to_owned();
    let port = host.rsplit_once(']').map_or(host.as_str(), |(_, after)| after).rsplit_once(':').map(|(_, port)| port);
    let is_port = port.is_none_or(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
    is_port.then(|| UrlParts { scheme, path: path.to_owned(), query, host })
}

fn read_cidr(text: &str) -> Option<(IpAddr, u8)> {
    let (address, length) = text.split_once('/')?;
    let address = read_address(address)?;
    let is_number = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
    let length: u8 = is_number.then(|| length.parse().ok()).flatten()?;
    (length <= bits(address).1 && (length == 0 || !text.ends_with(&format!("/0{length}")))).then_some((address, length))
}

/// The bits of an address, at the upper end, and how many there are.
fn bits(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(four) => (u128::from(u32::from(four)) << 96, 32),
        IpAddr::V6(six) => (u128::from(six), 128),
    }
}

fn masked(address: IpAddr, length: u8) -> u128 {
    let (bits, _) = bits(address);
    if length == 0 { 0 } else { bits & (u128::MAX << (128 - u32::from(length))) }
}

fn holds(network: &Cidr, address: IpAddr) -> bool {
    network.0.is_ipv4() == address.is_ipv4() && masked(network.0, network.1) == masked(address, network.1)
}

fn text<'a>(arguments: &'a [CowVal<'_, '_>], at: usize) -> Option<&'a str> {
    Some(arguments.get(at)?.downcast_ref::<CelString>()?.inner())
}

fn missing() -> ExecutionError {
    ExecutionError::missing_argument_or_target()
}

fn truth<'b, 'v>(truth: bool) -> Returned<'b, 'v> {
    Ok(CowVal::owned(CelBool::from(truth)))
}

fn string<'b, 'v>(text: String) -> Returned<'b, 'v> {
    Ok(CowVal::owned(CelString::from(text)))
}

fn the_url<'a>(arguments: &'a [CowVal<'_, '_>]) -> Result<&'a UrlParts, ExecutionError> {
    let url = arguments.first().and_then(|url| url.downcast_ref::<Url>());
    url.map(|url| &url.0).ok_or_else(missing)
}

fn url<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    let parts = text(&arguments, 0).and_then(read_url);
    parts.map(|parts| CowVal::owned(Url(parts))).ok_or_else(|| ExecutionError::function_error("url", "it is not a URL"))
}

fn is_url<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    truth(text(&arguments, 0).and_then(read_url).is_some())
}

fn get_scheme<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    string(the_url(&arguments)?.scheme.clone())
}

fn get_host<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    string(the_url(&arguments)?.host.clone())
}

/// The name and the port of a host.
fn name_and_port(host: &str) -> (&str, &str) {
    if let Some((name, after)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return (name, after.strip_prefix(':').unwrap_or_default());
    }
    host.split_once(':').unwrap_or((host, ""))
}

fn get_hostname<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    string(name_and_port(&the_url(&arguments)?.host).0.to_owned())
}

fn get_port<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    string(name_and_port(&the_url(&arguments)?.host).1.to_owned())
}

fn get_path<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    string(the_url(&arguments)?.path.clone())
}

fn get_query<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    let decoded = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let mut values: HashMap<String, Vec<Box<dyn Val>>> = HashMap::new();
    for pair in the_url(&arguments)?.query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        values.entry(decoded(name)).or_default().push(Box::new(CelString::from(decoded(value))));
    }
    let map: HashMap<CelMapKey<'v>, Box<dyn Val + 'v>> = values
        .into_iter()
        .map(|(name, values)| -> (CelMapKey<'v>, Box<dyn Val + 'v>) {
            (CelMapKey::from(name), Box::new(CelList::from(values)))
        })
        .collect();
    Ok(CowVal::owned(CelMap::from(map)))
}

/// The address of an argument: one, or a text.
fn address(arguments: &[CowVal<'_, '_>], at: usize) -> Option<IpAddr> {
    let one = arguments.get(at).and_then(|value| value.downcast_ref::<Ip>()).map(|ip| ip.0);
    one.or_else(|| read_address(text(arguments, at)?))
}

/// Kubernetes takes no IPv4 address that is written as one of IPv6.
fn read_address(text: &str) -> Option<IpAddr> {
    let address: IpAddr = text.parse().ok()?;
    let is_mapped = matches!(address, IpAddr::V6(six) if six.to_ipv4_mapped().is_some());
    (!is_mapped).then_some(address)
}

fn ip<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    let wrong = || ExecutionError::function_error("ip", "it is not an IP address");
    address(&arguments, 0).map(|ip| CowVal::owned(Ip(ip))).ok_or_else(wrong)
}

fn is_ip<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    truth(address(&arguments, 0).is_some())
}

fn is_canonical<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    let address = address(&arguments, 0).ok_or_else(missing)?;
    truth(text(&arguments, 0) == Some(&address.to_string()))
}

fn family<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    let address = address(&arguments, 0).ok_or_else(missing)?;
    Ok(CowVal::owned(CelInt::from(if address.is_ipv4() { 4 } else { 6 })))
}

fn is_unspecified<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    truth(address(&arguments, 0).ok_or_else(missing)?.is_unspecified())
}

fn is_loopback<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    truth(address(&arguments, 0).ok_or_else(missing)?.is_loopback())
}

fn is_link_local_multicast<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    truth(match address(&arguments, 0).ok_or_else(missing)? {
        IpAddr::V4(four) => four.octets()[..3] == [224, 0, 0],
        IpAddr::V6(six) => six.segments()[0] & 0xff0f == 0xff02,
    })
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(four) => four.is_link_local(),
        IpAddr::V6(six) => six.is_unicast_link_local(),
    }
}

fn is_link_local_unicast<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    truth(is_link_local(address(&arguments, 0).ok_or_else(missing)?))
}

fn is_global_unicast<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    let address = address(&arguments, 0).ok_or_else(missing)?;
    let is_broadcast = matches!(address, IpAddr::V4(four) if four.is_broadcast());
    let is_other = address.is_unspecified() || address.is_loopback() || address.is_multicast();
    truth(!is_broadcast && !is_other && !is_link_local(address))
}

/// The network of an argument: one, or a text.
fn network(arguments: &[CowVal<'_, '_>], at: usize) -> Option<Cidr> {
    let one = arguments.get(at).and_then(|value| value.downcast_ref::<Cidr>()).cloned();
    one.or_else(|| read_cidr(text(arguments, at)?).map(|(address, length)| Cidr(address, length)))
}

fn cidr<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    let wrong = || ExecutionError::function_error("cidr", "it is not a network such as `10.0.0.0/8`");
    network(&arguments, 0).map(CowVal::owned).ok_or_else(wrong)
}

fn is_cidr<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    truth(network(&arguments, 0).is_some())
}

fn contains_ip<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    let network = network(&arguments, 0).ok_or_else(missing)?;
    let wrong = || ExecutionError::function_error("containsIP", "it is not an IP address");
    truth(holds(&network, address(&arguments, 1).ok_or_else(wrong)?))
}

fn contains_cidr<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    let outer = network(&arguments, 0).ok_or_else(missing)?;
    let wrong = || ExecutionError::function_error("containsCIDR", "it is not a network such as `10.0.0.0/8`");
    let inner = network(&arguments, 1).ok_or_else(wrong)?;
    truth(outer.1 <= inner.1 && holds(&outer, inner.0))
}

fn prefix_length<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    Ok(CowVal::owned(CelInt::from(i64::from(network(&arguments, 0).ok_or_else(missing)?.1))))
}

fn ip_of_cidr<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    Ok(CowVal::owned(Ip(network(&arguments, 0).ok_or_else(missing)?.0)))
}

fn masked_cidr<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    let network = network(&arguments, 0).ok_or_else(missing)?;
    let bits = masked(network.0, network.1);
    let address = match network.0 {
        IpAddr::V4(_) => IpAddr::V4(u32::try_from(bits >> 96).unwrap_or_default().into()),
        IpAddr::V6(_) => IpAddr::V6(bits.into()),
    };
    Ok(CowVal::owned(Cidr(address, network.1)))
}

fn ip_text<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    string(address(&arguments, 0).ok_or_else(missing)?.to_string())
}

fn cidr_text<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    let network = network(&arguments, 0).ok_or_else(missing)?;
    string(format!("{}/{}", network.0, network.1))
}

pub(super) fn functions(environment: &mut Env) -> Result<(), DeclarationError> {
    for named in [&URL, &IP, &CIDR] {
        environment.add_type(Type::to_owned(named))?;
    }
    let global: [(&str, &Type, Function); 9] = [
        ("url", &STRING_TYPE, url),
        ("isURL", &STRING_TYPE, is_url),
        ("ip", &STRING_TYPE, ip),
        ("isIP", &STRING_TYPE, is_ip),
        ("ip.isCanonical", &STRING_TYPE, is_canonical),
        ("cidr", &STRING_TYPE, cidr),
        ("isCIDR", &STRING_TYPE, is_cidr),
        ("string", &IP, ip_text),
        ("string", &CIDR, cidr_text),
    ];
    for (name, argument, function) in global {
        environment.add_overload(
            name,
            &format!("{name}({})", argument.name()),
            vec![Type::to_owned(argument)],
            function,
        )?;
    }
    let members: [(&Type, &str, &[&Type], Function); 19] = [
        (&URL, "getScheme", &[], get_scheme),
        (&URL, "getHost", &[], get_host),
        (&URL, "getHostname", &[], get_hostname),
        (&URL, "getPort", &[], get_port),
        (&URL, "getEscapedPath", &[], get_path),
        (&URL, "getQuery", &[], get_query),
        (&IP, "family", &[], family),
        (&IP, "isUnspecified", &[], is_unspecified),
        (&IP, "isLoopback", &[], is_loopback),
        (&IP, "isLinkLocalMulticast", &[], is_link_local_multicast),
        (&IP, "isLinkLocalUnicast", &[], is_link_local_unicast),
        (&IP, "isGlobalUnicast", &[], is_global_unicast),
        (&CIDR, "containsIP", &[&STRING_TYPE], contains_ip),
        (&CIDR, "containsIP", &[&IP], contains_ip),
        (&CIDR, "containsCIDR", &[&STRING_TYPE], contains_cidr),
        (&CIDR, "containsCIDR", &[&CIDR], contains_cidr),
        (&CIDR, "prefixLength", &[], prefix_length),
        (&CIDR, "ip", &[], ip_of_cidr),
        (&CIDR, "masked", &[], masked_cidr),
    ];
    for (target, name, arguments, function) in members {
        let types: Vec<Type> = arguments.iter().map(|it| Type::to_owned(it)).collect();
        let names: Vec<&str> = types.iter().map(Type::name).collect();
        let id = format!("{}.{name}({})", target.name(), names.join(","));
        environment.add_member_overload(name, &id, Type::to_owned(target), types, function)?;
    }
    Ok(())
}
