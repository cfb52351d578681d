//! A phone: registers by its code, and asks with its number and password.

use axum::body::Body;
use axum::http::{Method, Request};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::app::{Answer, TestApp};

/// Somebody at one device of a number.
#[derive(Clone)]
pub struct Phone {
    pub number: String,
    pub device: u32,
    pub password: String,
    /// 32 bytes for AES and 20 for the MAC.
    pub signalling_key: [u8; 52],
    pub registration: u32,
}

impl Phone {
    /// The first device of a number, not registered yet.
    pub fn new(number: &str) -> Self {
        Self {
            number: number.to_owned(),
            device: 1,
            password: format!("password of {number}"),
            signalling_key: std::array::from_fn(|place| u8::try_from(place).unwrap()),
            registration: 222,
        }
    }

    /// What a registration says of the device.
    pub fn attributes(&self) -> Value {
        json!({
            "signalingKey": STANDARD.encode(self.signalling_key),
            "supportsSms": false,
            "fetchesMessages": true,
            "registrationId": self.registration,
        })
    }

    /// `number`, or `number.device` for further ones.
    pub fn login(&self) -> String {
        match self.device {
            1 => self.number.clone(),
            device => format!("{}.{device}", self.number),
        }
    }

    pub fn authorization(&self) -> String {
        format!("Basic {}", STANDARD.encode(format!("{}:{}", self.login(), self.password)))
    }

    pub async fn get(&self, app: &TestApp, path: &str) -> Answer {
        self.ask(app, Method::GET, path, Value::Null).await
    }

    pub async fn put(&self, app: &TestApp, path: &str, body: Value) -> Answer {
        self.ask(app, Method::PUT, path, body).await
    }

    pub async fn post(&self, app: &TestApp, path: &str, body: Value) -> Answer {
        self.ask(app, Method::POST, path, body).await
    }

    pub async fn delete(&self, app: &TestApp, path: &str) -> Answer {
        self.ask(app, Method::DELETE, path, Value::Null).await
    }

    async fn ask(&self, app: &TestApp, method: Method, path: &str, body: Value) -> Answer {
        let authorization = self.authorization();
        app.call(request(method, path, Some(&authorization), &body)).await
    }
}

impl TestApp {
    /// A number that has just registered and comes for its messages.
    pub async fn phone(&self, number: &str) -> Phone {
        let phone = Phone::new(number);
        let code = self.code(number).await;
        let path = format!("/v1/accounts/code/{code}");
        let registered = phone.put(self, &path, phone.attributes()).await;
        assert_eq!(registered.status, 200, "{registered:?}");
        phone
    }

    /// A further device of the same number.
    pub async fn link(&self, first: &Phone) -> Phone {
        let answer = first.get(self, "/v1/devices/provisioning/code").await;
        let code = answer.json["verificationCode"].as_str().unwrap_or_else(|| panic!("{answer:?}"));
        let mut phone =
            Phone { password: format!("a further {}", first.password), ..first.clone() };
        phone.registration += 111;
        // Its number is not known before it is linked.
        let linked = phone.put(self, &format!("/v1/devices/{code}"), phone.attributes()).await;
        let device = linked.json["deviceId"].as_u64().unwrap_or_else(|| panic!("{linked:?}"));
        phone.device = u32::try_from(device).unwrap();
        phone
    }

    /// A fresh code for a number, without its dash.
    pub async fn code(&self, number: &str) -> String {
        let path = format!("/v1/accounts/dev/code/{number}");
        let answer = self.call(request(Method::GET, &path, None, &Value::Null)).await;
        let code = answer.json.as_str().unwrap_or_else(|| panic!("{answer:?}"));
        code.replace('-', "")
    }

    /// Asks without credentials.
    pub async fn stranger(&self, method: Method, path: &str, body: &Value) -> Answer {
        self.call(request(method, path, None, body)).await
    }
}

pub fn request(
    method: Method,
    path: &str,
    authorization: Option<&str>,
    body: &Value,
) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    if body.is_null() {
        return request.body(Body::empty()).unwrap();
    }
    let body = Body::from(body.to_string());
    request.header("content-type", "application/json").body(body).unwrap()
}
