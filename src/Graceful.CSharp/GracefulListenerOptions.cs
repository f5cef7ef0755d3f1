using System.Net.Security;
using Graceful.Serving;
using Graceful.Sockets;

namespace Graceful;

/// <summary>Options of a <see cref="GracefulListener"/>. Every default is valid; what is not is refused by the listener's constructor.</summary>
public sealed class GracefulListenerOptions
{
    /// <summary>
    /// With these every connection is authenticated before it is handed out, and its stream is the decrypted one. The default is
    /// <see langword="null"/>: no TLS.
    /// </summary>
    public SslServerAuthenticationOptions? Tls { get; set; }

    /// <summary>
    /// The certificate that handshakes get, which can be replaced while the listener serves. With it <see cref="Tls"/> needs none, and may be
    /// <see langword="null"/>: then it is TLS 1.2 or 1.3. The default is null: what <see cref="Tls"/> says.
    /// </summary>
    public ServerCertificate? Certificate { get; set; }

    /// <summary>
    /// How long a TLS handshake may take before its connection is closed. More than zero, at most an hour; the default is 10 s. Without
    /// <see cref="Tls"/> and <see cref="Certificate"/> it has no effect.
    /// </summary>
    public TimeSpan HandshakeLimit { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Whether somebody else holds the same listening socket: a service manager, a successor. Then the way out takes nothing from its
    /// queue, does nothing to keep newcomers out, and leaves the socket open. The default is false; an <see cref="ActivatedSocket"/>
    /// is shared whatever this says.
    /// </summary>
    public bool IsShared { get; set; }

    /// <summary>
    /// How long a TCP client may be silent before the kernel asks whether it is still there, and how long between one question and
    /// the next. From one second to 32767 s, in whole seconds, or <see cref="Timeout.InfiniteTimeSpan"/> to leave that to the system; the default
    /// is 15 s.
    /// </summary>
    public TimeSpan TcpKeepAlive { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>
    /// The permissions of the file of a Unix socket that the listener opens itself, which it has before anybody can connect: who may write to it
    /// may connect. The default is <see langword="null"/>: what the process's umask leaves. Only permissions of owner, group and others; not on
    /// Windows. It has no effect on abstract sockets, nor on sockets that the listener is given.
    /// </summary>
    public UnixFileMode? UnixSocketMode { get; set; }

    internal void Check(string parameter)
    {
        if (UnixMode.Error(UnixSocketMode) is { } mode)
        {
            throw new ArgumentException(mode, parameter);
        }

        if (HandshakeLimit <= TimeSpan.Zero || HandshakeLimit > TimeSpan.FromHours(1))
        {
            throw new ArgumentException($"{nameof(HandshakeLimit)} is {HandshakeLimit}; allowed is more than zero and at most 01:00:00.", parameter);
        }

        if (TcpKeepAlive != Timeout.InfiniteTimeSpan && (TcpKeepAlive < TimeSpan.FromSeconds(1) || TcpKeepAlive > TcpProbing.Most))
        {
            throw new ArgumentException(
                $"{nameof(TcpKeepAlive)} is {TcpKeepAlive}; allowed is between 00:00:01 and {TcpProbing.Most}, or Timeout.InfiniteTimeSpan.", parameter);
        }

        if (Certificate is not null && Tls is not (null or { ServerCertificate: null, ServerCertificateContext: null, ServerCertificateSelectionCallback: null }))
        {
            throw new ArgumentException($"{nameof(Tls)} has a certificate and {nameof(Certificate)} is another; allowed is one of the two.", parameter);
        }

        if (Certificate is null && Tls is { ServerCertificate: null, ServerCertificateContext: null, ServerCertificateSelectionCallback: null })
        {
            throw new ArgumentException(
                $"{nameof(Tls)} has no certificate; allowed is one in {nameof(Certificate)}, {nameof(Tls.ServerCertificate)}, {nameof(Tls.ServerCertificateContext)} or {nameof(Tls.ServerCertificateSelectionCallback)}.",
                parameter);
        }
    }
}
