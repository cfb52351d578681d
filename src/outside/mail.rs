//! Mail: a server that takes it by SMTP, within bounds of number and time.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use lettre::Message;
use lettre::message::{Mailbox, header::ContentType};
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::reach::{Reach, ReachError};
use crate::config::Secret;
use crate::config::mail::SmtpTls;
use crate::domain::Fault;
use crate::domain::clock::Clock;
use crate::domain::dropbox::Mail;
use crate::domain::ports::Mailer;

/// Mails that leave at the same time.
const AT_ONCE: usize = 8;

/// A mail server as the settings name it.
#[derive(Clone, Copy, Debug)]
pub struct ServerSettings<'a> {
    /// Its name and port, such as `mail.example:587`.
    pub server: &'a str,
    /// How the connection to it is encrypted.
    pub tls: SmtpTls,
    /// Whether its address must be one that `reach` allows.
    pub check_address: bool,
    /// With which name the gateway signs in; empty for none.
    pub user: &'a str,
    /// With which password.
    pub password: &'a Secret,
    /// From whom the mails come.
    pub from: &'a str,
}

/// A mail server.
pub struct MailServer {
    host: String,
    port: u16,
    tls: SmtpTls,
    parameters: Option<TlsParameters>,
    credentials: Option<Credentials>,
    from: Mailbox,
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
    /// What the mail goes to is no mail address.
    #[error("what the mail goes to is no mail address")]
    To,
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

impl MailServer {
    /// A server that is asked within `reach`, unless its address shall not be looked at, and that
    /// has `patience` for each mail.
    ///
    /// # Errors
    /// [`MailError::Server`], [`MailError::From`] when the settings cannot be read,
    /// [`MailError::Tls`].
    pub fn open(
        settings: &ServerSettings<'_>,
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
        let credentials = || {
            let password = settings.password.reveal().to_owned();
            Credentials::new(settings.user.to_owned(), password)
        };
        Ok(Self {
            host: host.to_owned(),
            port: port.parse().map_err(|_| MailError::Server)?,
            tls: settings.tls,
            parameters,
            credentials: (!settings.user.is_empty()).then(credentials),
            hello: ClientId::Domain(from.email.domain().to_owned()),
            from,
            reach: if settings.check_address { reach.clone() } else { Reach::anywhere() },
            places: Semaphore::new(AT_ONCE),
            patience,
            clock,
        })
    }

    /// Hands a mail in plain text over.
    ///
    /// # Errors
    /// When the recipient is none, or the server did not take it in time.
    pub async fn deliver(
        &self,
        to: &str,
        subject: Option<&str>,
        text: String,
    ) -> Result<(), MailError> {
        let mail = self.mail(to, subject, text)?;
        let sent = timeout(self.patience, self.hand_over(&mail)).await;
        sent.unwrap_or(Err(MailError::TimedOut(self.patience)))
    }

    fn mail(&self, to: &str, subject: Option<&str>, text: String) -> Result<Message, MailError> {
        let to = to.parse().map_err(|_| MailError::To)?;
        let micros = u64::try_from(self.clock.now().as_micros()).unwrap_or_default();
        let date: SystemTime = UNIX_EPOCH + Duration::from_micros(micros);
        let mail = Message::builder().from(self.from.clone()).to(Mailbox::new(None, to));
        let mail = mail.date(date).header(ContentType::TEXT_PLAIN);
        let mail = match subject {
            Some(subject) => mail.subject(subject),
            None => mail,
        };
        mail.body(text).map_err(|_| MailError::From)
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
        let written = Zeroizing::new(mail.formatted());
        connection.send(mail.envelope(), &written).await.map_err(failed)?;
        // The mail is theirs by now, whatever becomes of the goodbye.
        let _ = connection.quit().await;
        Ok(())
    }
}

#[async_trait]
impl Mailer for MailServer {
    async fn send(&self, mail: &Mail) -> Result<(), Fault> {
        let text = mail.text.to_string();
        let sent = self.deliver(mail.to.as_str(), Some(mail.subject), text).await;
        sent.map_err(|error| Fault::unavailable("a mail could not be sent", Some(error.into())))
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
