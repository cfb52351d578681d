//! The gateway behind nginx and behind Caddy, with the configurations of `deploy/`, installed by the
//! commands of `docs/proxy.md`.

mod behind;
mod upstream;

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::markdown;
use crate::program::pause;
use crate::shell::Shell;

/// What is run of the page.
pub const SECTIONS: [(&str, &str); 2] =
    [("docs/proxy.md", "## nginx"), ("docs/proxy.md", "## Caddy")];

/// How long a proxy may take until it listens.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks whether it does.
const PAUSE: Duration = Duration::from_millis(20);

/// A proxy in front of somebody.
pub struct Proxy {
    shell: Shell,
    child: Child,
    port: u16,
}

/// Certificate and key of `localhost`.
fn certificate() -> (PathBuf, PathBuf) {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/tls");
    (vectors.join("there.pem"), vectors.join("there_key.pem"))
}

/// A port that nobody has at this moment.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("bound").port()
}

/// A program for administrators, which may not be on everybody's path.
fn program(name: &str) -> PathBuf {
    let search = std::env::var("PATH").expect("a search path");
    let folders = search.split(':').chain(["/usr/sbin", "/usr/local/sbin"]);
    let found = folders.map(|folder| Path::new(folder).join(name)).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("there is no {name}; scripts/test.sh installs it"))
}

impl Proxy {
    /// nginx as the page installs it, in front of `upstream`.
    pub fn nginx(upstream: SocketAddr) -> Self {
        let (mut shell, port, plain) = (Shell::new(), free_port(), free_port());
        shell.replace("/etc/nginx", shell.path("etc/nginx"));
        shell.replace(" deploy/", format!(" {}/deploy/", env!("CARGO_MANIFEST_DIR")));
        fs::create_dir_all(shell.path("etc/nginx/conf.d")).expect("an empty folder");
        let folder = shell.path("");
        let folder = folder.display();
        let is_root = fs::read_to_string("/proc/self/status").expect("Linux").contains("Uid:\t0\t");
        let user = if is_root { "user root root;" } else { "" };
        let main = format!(
            "{user} daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr;
             events {{}}
             http {{
                 client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
                 fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi;
                 scgi_temp_path {folder}/scgi;
                 include {folder}/etc/nginx/conf.d/*.conf;
             }}"
        );
        fs::write(shell.path("etc/nginx/nginx.conf"), main).expect("a writable folder");
        let nginx = program("nginx").display().to_string();
        let nginx = format!("{nginx} -p {folder} -c {folder}/etc/nginx/nginx.conf");
        shell.install("nginx", &format!("exec {nginx} \"$@\""));
        shell.install("systemctl", "test \"$*\" = 'reload nginx' && exec nginx -s reload");
        let (certificate, key) = certificate();
        let edit = |text: String| {
            text.replace("listen 443 ", &format!("listen 127.0.0.1:{port} "))
                .replace("listen 80;", &format!("listen 127.0.0.1:{plain};"))
                .replace("gateway.example", "localhost")
                .replace("/etc/sealpost/fullchain.pem", &certificate.display().to_string())
                .replace("/etc/sealpost/privkey.pem", &key.display().to_string())
                .replace("/var/log/nginx", &folder.to_string())
                .replace("127.0.0.1:8080", &upstream.to_string())
        };
        Self::start(shell, port, SECTIONS[0], "etc/nginx/conf.d/sealpost.conf", &edit, "nginx")
    }

    /// Caddy in the same way.
    pub fn caddy(upstream: SocketAddr) -> Self {
        let (mut shell, port) = (Shell::new(), free_port());
        shell.replace("/etc/caddy", shell.path("etc/caddy"));
        shell.replace(" deploy/", format!(" {}/deploy/", env!("CARGO_MANIFEST_DIR")));
        fs::create_dir_all(shell.path("etc/caddy")).expect("an empty folder");
        let file = shell.path("etc/caddy/Caddyfile");
        let file = file.display();
        let caddy = program("caddy").display().to_string();
        shell.install("caddy", &format!("exec {caddy} \"$@\""));
        let reload = format!("exec caddy reload --config {file} --adapter caddyfile");
        shell.install("systemctl", &format!("test \"$*\" = 'reload caddy' && {reload}"));
        let (certificate, key) = certificate();
        let admin = shell.path("admin.sock").display().to_string();
        let edit = |text: String| {
            let site = format!(
                "{{\n\tadmin unix/{admin}\n\tauto_https disable_redirects\n}}\n\n\
                 https://localhost:{port} {{\n\tbind 127.0.0.1\n\ttls {} {}\n",
                certificate.display(),
                key.display()
            );
            text.replace("\ngateway.example {\n", &format!("\n{site}"))
                .replace("127.0.0.1:8080", &upstream.to_string())
        };
        let run = "caddy run --config /etc/caddy/Caddyfile --adapter caddyfile";
        Self::start(shell, port, SECTIONS[1], "etc/caddy/Caddyfile", &edit, run)
    }

    /// Follows the page: installs, puts in what is this machine's own, has it looked at, starts the
    /// proxy, and has it read its configuration anew.
    fn start(
        shell: Shell,
        port: u16,
        (page, heading): (&str, &str),
        installed: &str,
        edit: &dyn Fn(String) -> String,
        run: &str,
    ) -> Self {
        let blocks = markdown::commands_below(&markdown::read(page), heading);
        let commands = markdown::commands(&blocks[0]);
        let [install, look, reload] = commands.as_slice() else { panic!("{commands:?}") };
        shell.run(install);
        // Caddy looks at the file as it comes; nginx wants the certificates to be there.
        if look.starts_with("caddy") {
            shell.run(look);
        }
        let file = shell.path(installed);
        let text = edit(fs::read_to_string(&file).expect("it was installed"));
        assert!(text.contains(&format!(":{port} ")), "{text}");
        fs::write(&file, text).expect("a file of ours");
        shell.run(look);
        let said = File::create(shell.path("said")).expect("a writable folder");
        let mut command = shell.command(&format!("exec {run}"));
        let child = command.stdout(Stdio::null()).stderr(said).spawn().expect("bash starts");
        let mut proxy = Self { shell, child, port };
        proxy.waits();
        proxy.shell.run(reload);
        proxy.waits();
        proxy
    }

    /// Waits until somebody listens.
    fn waits(&mut self) {
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let ended = self.child.try_wait().expect("the child was started here");
            let said = || fs::read_to_string(self.shell.path("said")).unwrap_or_default();
            let is_over = ended.is_some() || begun.elapsed() > PATIENCE;
            assert!(!is_over, "the proxy does not listen: {}", said());
            pause(PAUSE);
        }
    }

    /// Where it listens, for the name in its certificate.
    pub fn host(&self) -> String {
        format!("localhost:{}", self.port)
    }

    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// What it has written about requests, if it writes anything.
    pub fn log(&self) -> String {
        fs::read_to_string(self.shell.path("sealpost.log")).unwrap_or_default()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // A master of nginx's ends its workers only if it may say farewell.
        let command = format!("kill -s TERM {}", self.child.id());
        let _ = Command::new("sh").args(["-c", &command]).status();
        let _ = self.child.wait();
    }
}

#[tokio::test]
#[ignore = "needs nginx, which scripts/test.sh installs"]
async fn nginx_passes_everything_on() {
    let log = behind::passes_everything_on(Proxy::nginx).await;
    assert!(log.contains(" POST /encrypted_messages 200 "), "{log}");
    assert!(log.contains(" PUT /blobs/") && !log.contains('?'), "it logs queries: {log}");
}

#[tokio::test]
#[ignore = "needs Caddy, which scripts/test.sh installs"]
async fn caddy_passes_everything_on() {
    let log = behind::passes_everything_on(Proxy::caddy).await;
    assert_eq!(log, "", "it logs nothing that nobody asked for");
}

#[tokio::test]
#[ignore = "needs nginx, which scripts/test.sh installs"]
async fn nginx_says_who_asks_and_leaves_the_rest_as_it_was() {
    upstream::hears_who_asks(Proxy::nginx).await;
}

#[tokio::test]
#[ignore = "needs Caddy, which scripts/test.sh installs"]
async fn caddy_says_who_asks_and_leaves_the_rest_as_it_was() {
    upstream::hears_who_asks(Proxy::caddy).await;
}
