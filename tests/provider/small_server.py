"""A small HTTP server for answers that the stand-in does not give."""
import ssl
import threading
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address

HEALTHY = b'{"synchronized": true}'


class _Handler(BaseHTTPRequestHandler):

    def do_GET(self):
        self.server.small.requests.append((self.command, self.path, dict(self.headers)))
        try:
            self.server.small.answer(self)
        except OSError:
            pass  # The caller gave up.

    do_POST = do_DELETE = do_GET

    def log_message(self, *args):
        pass

    def reply(self, body=HEALTHY, status=200, **headers):
        self.send_response(status)
        for name, value in {'Content_Length': len(body), **headers}.items():
            self.send_header(name.replace('_', '-'), str(value))
        self.end_headers()
        self.wfile.write(body)

    def redirect(self, location, status=302):
        self.reply(b'', status, Location=location)


class SmallServer:
    """A context in which a function answers all requests on 127.0.0.1.

    :param function answer: It is given the handler, see `reply` and `redirect`.
    :param Certificate certificate: To speak https.
    """

    def __init__(self, answer, certificate=None):
        self.answer = answer
        self.requests = []
        self.server = ThreadingHTTPServer(('127.0.0.1', 0), _Handler)
        self.server.daemon_threads = True
        self.server.small = self
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        scheme = 'https' if certificate else 'http'
        self.url = f'{scheme}://127.0.0.1:{self.server.server_port}'

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_exc):
        self.server.shutdown()
        self.server.server_close()


def write_certificate(path):
    """Write a certificate of 127.0.0.1 and its key to a file.

    :param Path path: The file.
    :return: Its name.
    :rtype: str
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, '127.0.0.1')])
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address('127.0.0.1'))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return str(path)
