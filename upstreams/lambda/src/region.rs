//! Where functions run: the region, and what follows from it.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// A family of regions with names and addresses of its own.
pub(crate) struct Partition {
    pub(crate) name: &'static str,
    pub(crate) suffix: &'static str,
}

/// The partition of a region, by its prefix as in AWS's published `partitions.json`.
pub(crate) fn partition(region: &str) -> Partition {
    let (name, suffix) = match region {
        _ if region.starts_with("cn-") => ("aws-cn", "amazonaws.com.cn"),
        _ if region.starts_with("us-gov-") => ("aws-us-gov", "amazonaws.com"),
        _ if region.starts_with("us-isob-") => ("aws-iso-b", "sc2s.sgov.gov"),
        _ if region.starts_with("us-isof-") => ("aws-iso-f", "csp.hci.ic.gov"),
        _ if region.starts_with("eu-isoe-") => ("aws-iso-e", "cloud.adc-e.uk"),
        _ if region.starts_with("us-iso-") => ("aws-iso", "c2s.ic.gov"),
        _ if region.starts_with("eusc-") => ("aws-eusc", "amazonaws.eu"),
        _ => ("aws", "amazonaws.com"),
    };
    Partition { name, suffix }
}

/// Lambda's own address in the region.
pub(crate) fn endpoint(region: &str) -> String {
    format!("https://lambda.{region}.{}", partition(region).suffix)
}

/// The region that the surroundings name: `AWS_REGION`, `AWS_DEFAULT_REGION`, then the profile's (the one given, else
/// `AWS_PROFILE`, else `default`), as aws-config's chain does without asking the instance's metadata service.
#[allow(clippy::disallowed_methods, reason = "the standard AWS environment is a credential chain's")]
pub(crate) fn from_environment(profile: Option<&str>) -> Option<String> {
    let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let home = || env::home_dir().map(|home| home.join(".aws"));
    let file = |name: &str, default: &str| -> Option<PathBuf> {
        variable(name).map(PathBuf::from).or_else(|| home().map(|home| home.join(default)))
    };
    let from_profile = || {
        let profile = profile.map(str::to_owned).or_else(|| variable("AWS_PROFILE"));
        let profile = profile.as_deref().unwrap_or("default");
        let read = |path: PathBuf| profile_region(&path, profile);
        file("AWS_CONFIG_FILE", "config")
            .and_then(read)
            .or_else(|| file("AWS_SHARED_CREDENTIALS_FILE", "credentials").and_then(read))
    };
    if profile.is_some() {
        // A profile that the settings name goes before the environment, as its credentials do.
        return from_profile().or_else(|| variable("AWS_REGION")).or_else(|| variable("AWS_DEFAULT_REGION"));
    }
    variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION")).or_else(from_profile)
}

fn profile_region(path: &Path, profile: &str) -> Option<String> {
    region_of_profile(&fs::read_to_string(path).ok()?, profile)
}

/// Finds `region` in the section `[name]` or `[profile name]` of a shared configuration file.
fn region_of_profile(text: &str, profile: &str) -> Option<String> {
    let mut inside = false;
    let mut found = None;
    for line in text.lines() {
        // An indented line belongs to a nested setting (`s3 =`), not to the profile itself.
        if line.starts_with([' ', '\t', '#', ';']) {
            continue;
        }
        let line = line.split(" #").next().unwrap_or(line).trim();
        if let Some(section) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            let name = section.trim();
            let name = name.strip_prefix("profile").filter(|n| n.starts_with([' ', '\t'])).map_or(name, str::trim);
            inside = name.trim_matches(['"', '\'']) == profile;
        } else if let Some((key, value)) = line.split_once('=')
            && inside
            && key.trim().eq_ignore_ascii_case("region")
            && !value.trim().is_empty()
        {
            found = Some(value.trim().to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_partition_has_its_own_addresses() {
        assert_eq!(endpoint("eu-west-1"), "https://lambda.eu-west-1.amazonaws.com");
        assert_eq!(endpoint("cn-north-1"), "https://lambda.cn-north-1.amazonaws.com.cn");
        assert_eq!(endpoint("us-gov-west-1"), "https://lambda.us-gov-west-1.amazonaws.com");
        assert_eq!(partition("us-gov-west-1").name, "aws-us-gov");
        assert_eq!(partition("us-isob-east-1").suffix, "sc2s.sgov.gov");
    }

    #[test]
    fn a_profile_file_names_the_region() {
        let text = "# shared\n[default]\nregion = eu-west-1 # home\n\n[profile prod]\ns3 =\n  region = nested\noutput=json\nregion=us-east-2\n[ profile \"a b\" ]\nregion=ap-south-1\n";
        assert_eq!(region_of_profile(text, "default").as_deref(), Some("eu-west-1"));
        assert_eq!(region_of_profile(text, "prod").as_deref(), Some("us-east-2"));
        assert_eq!(region_of_profile(text, "a b").as_deref(), Some("ap-south-1"));
        assert_eq!(region_of_profile(text, "other"), None);
    }

    #[test]
    fn a_credentials_file_names_sections_without_the_word_profile() {
        assert_eq!(region_of_profile("[prod]\nregion=eu-central-1", "prod").as_deref(), Some("eu-central-1"));
        assert_eq!(region_of_profile("[profiles]\nregion=eu-central-1", "s"), None);
    }
}
