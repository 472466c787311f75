use super::*;

const UUID: &str = "bfa5f752-dd84-4d7e-ab11-b7e4877453f2";

/// What is found when the text comes in pieces of this size: rows as `table/kind`, and messages.
fn scanned(text: &str, piece: usize) -> Result<(Vec<String>, Vec<Value>), Trouble> {
    let (mut rows, mut messages) = (Vec::new(), Vec::new());
    let mut scanner = Scanner::default();
    for piece in text.as_bytes().chunks(piece) {
        scanner.push(piece, |item| {
            match item {
                Item::Row(table, _, Change::Whole(columns)) => rows.push(format!("{table} {}", Value::Object(columns))),
                Item::Row(table, _, Change::Part(columns)) => rows.push(format!("{table} ~{}", Value::Object(columns))),
                Item::Row(table, uuid, Change::Gone) => rows.push(format!("{table} -{uuid:x}")),
                Item::Message(message) => messages.push(message),
            }
            Ok(())
        })?;
    }
    Ok((rows, messages))
}

#[test]
fn rows_of_all_methods_are_cut_out_of_their_messages() {
    let row = r#"{"a": "x,}\"]", "b": ["set", []]}"#;
    let text = format!(
        r#"{{"id":1,"result":{{"T":{{"{UUID}":{{"initial":{row}}},"{UUID}":{{"new":{row}}}}},"U":{{}}}},"error":null}}
           {{"result":[false,"txn",{{"T":{{"{UUID}":{{"initial":{row}}}}}}}],"id":2}}{{"method":"update2","id":null,
           "params":["m",{{"T":{{"{UUID}":{{"modify":{{"a":"y"}}}}}},"U":{{"{UUID}":{{"delete":null}}}}}}]}}
           {{"method":"update3","id":null,"params":["m","txn",{{"T":{{"{UUID}":{{"insert":{row}}}}}}}]}}
           {{"method":"update","id":null,"params":["m",{{"T":{{"{UUID}":{{"old":{row}}},"{UUID}":{{"old":{{}},"new":{row}}}}}}}]}}"#
    );
    let whole = r#"T {"a":"x,}\"]","b":["set",[]]}"#;
    let gone = "bfa5f752dd844d7eab11b7e4877453f2";
    for piece in [1, 3, 7, 1000] {
        let (rows, messages) = scanned(&text, piece).unwrap();
        let expected =
            [whole, whole, whole, r#"T ~{"a":"y"}"#, &format!("U -{gone}"), whole, &format!("T -{gone}"), whole];
        assert_eq!(rows, expected);
        assert_eq!(messages[0].to_string(), r#"{"error":null,"id":1,"result":{"T":{},"U":{}}}"#);
        assert_eq!(messages[1]["result"].to_string(), r#"[false,"txn",{"T":{}}]"#);
        assert_eq!((messages.len(), &messages[4]["params"][0]), (5, &Value::from("m")));
    }
}

#[test]
fn the_conversation_of_a_real_server_is_read() {
    let transcript = include_str!("transcript.jsonl");
    let lines = transcript.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let stream: String = lines.filter(|line| line["dir"] == "s>c").map(|line| line["msg"].to_string()).collect();
    let (rows, messages) = scanned(&stream, 100).unwrap();
    let of = |table: &str| rows.iter().filter(|row| row.starts_with(table)).count();
    assert_eq!((of("Chassis "), of("Encap "), of("Datapath_Binding "), of("Port_Binding ")), (2, 2, 6, 14));
    assert!(messages.iter().all(|message| message["id"].is_null() || message["error"].is_null()));
}

#[test]
fn a_long_answer_takes_the_memory_of_a_row() {
    let mut scanner = Scanner::default();
    let mut rows = 0;
    let row = format!(r#""{UUID}":{{"initial":{{"a":"{}"}}}}"#, "x".repeat(400));
    let mut push = |text: &str, scanner: &mut Scanner| {
        scanner.push(text.as_bytes(), |item| {
            rows += usize::from(matches!(item, Item::Row(..)));
            Ok(())
        })
    };
    push(r#"{"id":1,"result":{"T":{"#, &mut scanner).unwrap();
    for _ in 0..5_000 {
        push(&row, &mut scanner).unwrap();
        push(",", &mut scanner).unwrap();
    }
    assert!(scanner.buffer.capacity() < 64 << 10, "{}", scanner.buffer.capacity());
    push(&format!("{row}}}}},\"error\":null}}"), &mut scanner).unwrap();
    assert_eq!(rows, 5_001);
}

#[test]
fn what_has_no_end_is_ended() {
    let endless = |begin: &str, more: &str| {
        let mut scanner = Scanner::default();
        scanner.push(begin.as_bytes(), |_| Ok(())).unwrap();
        let more = more.repeat(1000);
        loop {
            if let Err(trouble) = scanner.push(more.as_bytes(), |_| Ok(())) {
                assert!(scanner.buffer.capacity() < 2 << 20, "{}", scanner.buffer.capacity());
                return trouble;
            }
        }
    };
    assert!(endless(r#"{"a":"#, "[").is_excess);
    assert!(endless(r#"{"a":""#, "x").is_excess);
    assert!(endless(r#"{"result":{"T":{"u":{"new":""#, "x").text.contains("row"));
    let many = format!(r#""{UUID}":{{"delete":null}},"#);
    assert!(endless(r#"{"result":{"T":{"#, &many).text.contains("MiB"));
}

#[test]
fn garbage_is_refused() {
    for text in
        ["SSH-2.0-OpenSSH_9.2", "HTTP/1.1 400", "[]", r#"{"a":]"#, "{a}", r#"{"result":{"T":{"u":{"new":{}}}}}"#]
    {
        let trouble = scanned(text, 100).unwrap_err();
        assert!(trouble.text.contains("OVSDB"), "{text}: {trouble:?}");
    }
    let text = format!(r#"{{"result":{{"T":{{"{UUID}":{{"odd":1}}}}}}}}"#);
    assert!(scanned(&text, 9).unwrap_err().text.contains("OVSDB"));
}
