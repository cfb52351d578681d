//! Codes by mail: to an address of the number's own, or to a service that makes text messages of
//! mails. A mail has the text of the code in it and nothing else, no subject either, so that such a
//! service sends the very text that phones look for.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lettre::Message;
use lettre::message::{Mailbox, header::ContentType};
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::config::dialects::textsecure::codes::{Smtp, SmtpTls};
use crate::domain::clock::Clock;
use crate::domain::phone::PhoneNumber;
use crate::domain::ports::CodeMessage;
use crate::outside::reach::{Reach, ReachError};

/// Mails that leave at the same time.
const AT_ONCE: usize = 8;

/// A mail server that takes codes.
pub(super) struct Mail {
    host: String,
    port: u16,
    tls: SmtpTls,
    parameters: Option<TlsParameters>,
    credentials: Option<Credentials>,
    from: Mailbox,
    to: String,
    recipients: Vec<(PhoneNumber, String)>,
    hello: ClientId,
    reach: Reach,
    places: Semaphore,
    patience: Duration,
    clock: Arc<dyn Clock>,
}

/// Why a mail did not leave. What a server says may repeat to whom it was, so only the number of
/// its answer is kept.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The server's name and port cannot be read.
    #[error("the mail server is not given as a name and a port")]
    Server,
    /// The sender's address cannot be read.
    #[error("the sender's address is no mail address")]
    From,
    /// What the number's mails go to is no mail address.
    #[error("what the number's mails go to is no mail address")]
    To,
    /// Nobody is written to about this number.
    #[error("that number has no mail address")]
    Nobody,
    /// TLS cannot be set up.
    #[error("cannot set up TLS for mails")]
    Tls,
    /// The host is none that may be asked, or not known.
    #[error(transparent)]
    Reach(#[from] ReachError),
    /// It took too long.
    #[error("the mail server did not take a mail within {} seconds", .0.as_secs())]
    TimedOut(Duration),
    /// The server said no.
    #[error("the mail server answered {0}")]
    Refused(String),
    /// The connection failed.
    #[error("cannot talk to the mail server")]
    Connection,
}

impl Mail {
    /// A server that is asked within `reach`, unless its address shall not be looked at.
    pub(super) fn open(
        settings: &Smtp,
        reach: &Reach,
        patience: Duration,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, MailError> {
        let (host, port) = settings.server.rsplit_once(':').ok_or(MailError::Server)?;
        let from: Mailbox = settings.from.parse().map_err(|_| MailError::From)?;
        let parameters = match settings.tls {
            SmtpTls::None => None,
            SmtpTls::Starttls | SmtpTls::Implicit => {
                Some(TlsParameters::new(host.to_owned()).map_err(|_| MailError::Tls)?)
            }
        };
        let password = || settings.password.reveal().to_owned();
        let has_user = !settings.user.is_empty();
        Ok(Self {
            host: host.to_owned(),
            port: port.parse().map_err(|_| MailError::Server)?,
            tls: settings.tls,
            parameters,
            credentials: has_user.then(|| Credentials::new(settings.user.clone(), password())),
            hello: ClientId::Domain(from.email.domain().to_owned()),
            from,
            to: settings.to.clone(),
            recipients: settings.recipients(),
            reach: if settings.check_address { reach.clone() } else { Reach::anywhere() },
            places: Semaphore::new(AT_ONCE),
            patience,
            clock,
        })
    }

    pub(super) async fn send(&self, message: &CodeMessage) -> Result<(), MailError> {
        let mail = self.mail(message)?;
        let sent = timeout(self.patience, self.hand_over(&mail)).await;
        sent.unwrap_or(Err(MailError::TimedOut(self.patience)))
    }

    fn mail(&self, message: &CodeMessage) -> Result<Message, MailError> {
        let to = self.address_of(&message.number)?.parse().map_err(|_| MailError::To)?;
        let micros = u64::try_from(self.clock.now().as_micros()).unwrap_or_default();
        let date: SystemTime = UNIX_EPOCH + Duration::from_micros(micros);
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .date(date)
            .header(ContentType::TEXT_PLAIN)
            .body(message.text().to_string())
            .map_err(|_| MailError::From)
    }

    fn address_of(&self, number: &PhoneNumber) -> Result<String, MailError> {
        if let Some((_, address)) = self.recipients.iter().find(|(known, _)| known == number) {
            return Ok(address.clone());
        }
        if self.to.is_empty() {
            return Err(MailError::Nobody);
        }
        let number = number.as_str();
        let digits = number.trim_start_matches('+');
        Ok(self.to.replace("{digits}", digits).replace("{number}", number))
    }

    async fn hand_over(&self, mail: &Message) -> Result<(), MailError> {
        // Nobody closes it.
        let _place = self.places.acquire().await;
        let addresses = self.reach.resolve(&self.host, self.port).await?;
        let at_once = self.parameters.clone().filter(|_| self.tls == SmtpTls::Implicit);
        let (addresses, hello) = (addresses.as_slice(), &self.hello);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(addresses, None, hello, at_once, None)
                .await
                .map_err(failed)?;
        if let (SmtpTls::Starttls, Some(parameters)) = (self.tls, &self.parameters) {
            connection.starttls(parameters.clone(), hello).await.map_err(failed)?;
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await.map_err(failed)?;
        }
        connection.send(mail.envelope(), &mail.formatted()).await.map_err(failed)?;
        // The mail is theirs by now, whatever becomes of the goodbye.
        let _ = connection.quit().await;
        Ok(())
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: lettre::transport::smtp::Error) -> MailError {
    match error.status() {
        Some(status) => MailError::Refused(status.to_string()),
        None if error.is_tls() => MailError::Tls,
        None => MailError::Connection,
    }
}
