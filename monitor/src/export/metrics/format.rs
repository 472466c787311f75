//! Which form a client gets, by what it accepts.

use jiff::Timestamp;

use super::family::Families;
use super::{protobuf, text};

/// Forms of an exposition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus's text form 0.0.4: no exemplars, classic histograms.
    Text,
    /// OpenMetrics 1.0: exemplars, classic histograms.
    OpenMetrics,
    /// Protobuf: exemplars, classic and native histograms.
    Protobuf,
}

impl Format {
    /// Its media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores",
            Self::Protobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            }
        }
    }

    /// The families in this form; `offset` is what events' time 0 is in the time of the day.
    pub fn encode(self, families: &Families, offset: Timestamp) -> Vec<u8> {
        match self {
            Self::Text => text::prometheus(families).into_bytes(),
            Self::OpenMetrics => text::open_metrics(families, offset).into_bytes(),
            Self::Protobuf => protobuf::encode(families, offset),
        }
    }
}

/// The form that an `Accept` header asks for most; without one, or with none of ours, text.
pub fn negotiate(accept: &str) -> Format {
    let mut best = (Format::Text, 0.0);
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
        let parameters: Vec<(&str, &str)> = parts.filter_map(|part| part.split_once('=')).collect();
        let parameter = |name: &str| {
            let found = parameters.iter().find(|(own, _)| own.trim().eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.trim().trim_matches('"'))
        };
        let quality = parameter("q").map_or(Some(1.0), |text| text.parse::<f32>().ok()).unwrap_or_default();
        let format = match kind.as_str() {
            "application/vnd.google.protobuf"
                if parameter("proto") == Some("io.prometheus.client.MetricFamily")
                    && parameter("encoding").is_none_or(|encoding| encoding == "delimited") =>
            {
                Format::Protobuf
            }
            "application/openmetrics-text" if parameter("version").is_none_or(|version| version.starts_with("1.")) => {
                Format::OpenMetrics
            }
            "text/plain" if parameter("version").is_none_or(|version| version == "0.0.4") => Format::Text,
            "*/*" | "text/*" => Format::Text,
            _ => continue,
        };
        // Of equal ones the first counts.
        if quality > best.1 {
            best = (format, quality);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_gets_what_it_prefers_of_what_there_is() {
        let protobuf = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
        let prometheus_2_42 = format!(
            "{protobuf},application/openmetrics-text;version=1.0.0;q=0.8,\
             application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
        );
        let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                            application/openmetrics-text;version=0.0.1;q=0.5,\
                            text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        let cases = [
            ("", Format::Text),
            ("*/*", Format::Text),
            (prometheus_2_42.as_str(), Format::Protobuf),
            (prometheus_3, Format::OpenMetrics),
            ("text/plain;version=0.0.4;q=0.9, application/openmetrics-text; version=1.0.0; q=0.2", Format::Text),
            ("application/openmetrics-text;version=0.0.1", Format::Text),
            ("application/vnd.google.protobuf;proto=x;q=1", Format::Text),
            (&format!("{protobuf};q=0, text/plain"), Format::Text),
            ("application/openmetrics-text; q=wrong", Format::Text),
            ("text/html,application/xhtml+xml", Format::Text),
        ];
        for (accept, format) in cases {
            assert_eq!(negotiate(accept), format, "{accept}");
        }
    }
}
