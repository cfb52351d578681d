//! What a browser sees that opens `/Service`: how the service is used.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;

use super::letter_page;

const TEXT: &str = "<p>A key service: whoever knows the token of a key may leave messages for its \
owner, who reads them with a passphrase, or with the hash of the private key.</p>
<table>
<thead><tr><th>request</th><th>parameters</th><th>answer</th></tr></thead>
<tbody>
<tr><td>POST /Service</td><td>passphrase</td><td>the key; its KeyToken is for senders</td></tr>
<tr><td>POST /Service</td><td>publickey, privatekey (optional), privatekeyhash</td><td>the same for \
a key of your own</td></tr>
<tr><td>PUT /Service</td><td>token, message, or files as multipart/form-data</td><td>true</td></tr>
<tr><td>PUT /Service</td><td>token, encryptedmessage, encryptionkey</td><td>true</td></tr>
<tr><td>GET /Service</td><td>token, passphrase</td><td>messages, decrypted; 304 for none</td></tr>
<tr><td>GET /Service</td><td>token, privatekeyhash</td><td>messages, encrypted; 304 for none</td></tr>
<tr><td>GET /Home/GetFile</td><td>fileId: a message's TemporaryDownloadId</td><td>the file</td></tr>
<tr><td>DELETE /Service</td><td>token, and passphrase or privatekeyhash; messageid for one \
message</td><td>\"Deleted.\"</td></tr>
<tr><td>POST /Service/SelfDestruct</td><td>message, email, attachment (base64), \
attachmentName</td><td>true</td></tr>
</tbody>
</table>
<p>Parameters may stand in a form, a JSON object or the query; token, passphrase and privatekeyhash \
in headers as well, which is where secrets belong. A key may have releasedate, lockdate, \
deletemessagesafterreading, deletekeyafterreading and email. Answers are JSON, or XML for Accept: \
application/xml or format=xml. A long answer says X-More-Messages: true; go on with \
after=MessageId.</p>
<p>In version 1 the service sees passphrases and texts. Version 2 (v=2) never does.</p>
";

/// Whether a request is a browser's.
pub(super) fn is_wanted(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).map(HeaderValue::to_str);
    let Some(Ok(accept)) = accept else { return false };
    accept.split(',').any(|one| one.trim().to_ascii_lowercase().starts_with("text/html"))
}

/// The page.
pub(super) fn answer() -> Response {
    letter_page::answer(StatusCode::OK, "Key service, version 1", TEXT)
}
