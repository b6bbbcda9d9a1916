//! Settings: argument before variable before default, as the table in docs/sdk.md says.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::{Given, Settings, Tls};

/// Setting, variable and default of each row of the table.
fn table() -> Vec<(String, String, String)> {
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/sdk.md");
    let text = std::fs::read_to_string(docs).expect("docs/sdk.md is there");
    let rows = text.lines().filter(|line| line.starts_with("| ") && line.contains("`VEXFS_"));
    rows.map(|row| {
        let mut cells = row.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`').to_owned());
        (cells.next().unwrap(), cells.next().unwrap(), cells.next().unwrap())
    })
    .collect()
}

fn resolve(given: Given, variables: &[(&str, &str)]) -> Result<Settings, super::SettingsError> {
    let variables: BTreeMap<_, _> = variables.iter().copied().collect();
    Settings::resolve(given, |name| variables.get(name).map(|value| (*value).to_owned()))
}

/// One value for the argument and another for the variable of a setting, and how the result shows them.
struct Row {
    give: fn(&mut Given),
    given: &'static str,
    variable: &'static str,
    from_variable: &'static str,
    show: fn(&Settings) -> String,
}

fn path(path: Option<&PathBuf>) -> String {
    path.map_or("none".to_owned(), |path| path.display().to_string())
}

fn row(setting: &str) -> Option<Row> {
    Some(match setting {
        "address" => Row {
            give: |given| given.address = Some("a:1".into()),
            given: "a:1",
            variable: "b:2",
            from_variable: "b:2",
            show: |settings| settings.address.clone(),
        },
        // This SDK speaks gRPC only.
        "url" => return None,
        "token" => Row {
            give: |given| given.token = Some("one".into()),
            given: "one",
            variable: "two",
            from_variable: "two",
            show: |settings| settings.token.clone().unwrap_or("none".into()),
        },
        "tls" => Row {
            give: |given| given.tls = Some(false),
            given: "off",
            variable: "1",
            from_variable: "on",
            show: |settings| if settings.tls.is_some() { "on" } else { "off" }.to_owned(),
        },
        "tls_ca" => Row {
            give: |given| given.tls_ca = Some("one.pem".into()),
            given: "one.pem",
            variable: "two.pem",
            from_variable: "two.pem",
            show: |settings| {
                let ca = settings.tls.as_ref().and_then(|tls| tls.ca.as_ref());
                ca.map_or("the system's".to_owned(), |ca| ca.display().to_string())
            },
        },
        "tls_client_cert" => Row {
            give: |given| given.tls_client_cert = Some("one.pem".into()),
            given: "one.pem",
            variable: "two.pem",
            from_variable: "two.pem",
            show: |settings| path(settings.tls.as_ref().and_then(|tls| tls.client.as_ref()).map(|(cert, _)| cert)),
        },
        "tls_client_key" => Row {
            give: |given| given.tls_client_key = Some("one.pem".into()),
            given: "one.pem",
            variable: "two.pem",
            from_variable: "two.pem",
            show: |settings| path(settings.tls.as_ref().and_then(|tls| tls.client.as_ref()).map(|(_, key)| key)),
        },
        "timeout" => Row {
            give: |given| given.timeout = Some(Duration::from_millis(1500)),
            given: "1.5",
            variable: "0",
            from_variable: "no limit",
            show: |settings| settings.timeout.map_or("no limit".into(), |timeout| timeout.as_secs_f64().to_string()),
        },
        "max_attempts" => Row {
            give: |given| given.max_attempts = Some(1),
            given: "1",
            variable: "7",
            from_variable: "7",
            show: |settings| settings.max_attempts.to_string(),
        },
        other => panic!("docs/sdk.md has the setting `{other}`, and the SDK does not"),
    })
}

/// Certificate and key come together: the other one is always there.
fn companion(setting: &str) -> Vec<(&'static str, &'static str)> {
    match setting {
        "tls_client_cert" => vec![("VEXFS_TLS_CLIENT_KEY", "other.pem")],
        "tls_client_key" => vec![("VEXFS_TLS_CLIENT_CERT", "other.pem")],
        _ => vec![],
    }
}

#[test]
fn every_row_of_the_table_holds() {
    let table = table();
    assert_eq!(table.len(), 9, "the table in docs/sdk.md was read");
    for (setting, name, default) in table {
        assert_eq!(name, format!("VEXFS_{}", setting.to_uppercase()));
        let Some(row) = row(&setting) else { continue };
        assert_eq!((row.show)(&resolve(Given::default(), &[]).unwrap()), default, "the default of {setting}");
        let empty = [(name.as_str(), "")];
        assert_eq!((row.show)(&resolve(Given::default(), &empty).unwrap()), default, "an empty variable of {setting}");

        let mut variables = companion(&setting);
        variables.push((&name, row.variable));
        assert_eq!((row.show)(&resolve(Given::default(), &variables).unwrap()), row.from_variable, "the variable of {setting}");
        let mut given = Given::default();
        (row.give)(&mut given);
        assert_eq!((row.show)(&resolve(given, &variables).unwrap()), row.given, "the argument of {setting}");
    }
}

#[test]
fn a_file_turns_tls_on() {
    let settings = resolve(Given::default(), &[("VEXFS_TLS_CA", "ca.pem")]).unwrap();
    assert_eq!(settings.tls, Some(Tls { ca: Some("ca.pem".into()), client: None }));
}

#[test]
fn a_value_that_cannot_be_read_names_its_setting() {
    for (name, value, setting) in [
        ("VEXFS_TIMEOUT", "soon", "timeout"),
        ("VEXFS_TIMEOUT", "-1", "timeout"),
        ("VEXFS_TIMEOUT", "NaN", "timeout"),
        ("VEXFS_MAX_ATTEMPTS", "0", "max_attempts"),
        ("VEXFS_MAX_ATTEMPTS", "1.5", "max_attempts"),
        ("VEXFS_TLS", "maybe", "tls"),
        ("VEXFS_TLS_CLIENT_CERT", "cert.pem", "tls_client_key"),
        ("VEXFS_TLS_CLIENT_KEY", "key.pem", "tls_client_cert"),
    ] {
        let error = resolve(Given::default(), &[(name, value)]).expect_err(name);
        assert_eq!(error.setting(), setting, "{name}={value}");
        assert!(error.to_string().contains(setting), "{error}");
    }
}
