using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Graceful.Probe.RudeServer;

// One thread per connection, blocking sockets. After the signal it holds every request until all clients wait for an answer;
// then nobody is connecting, the listener closes without hurting anyone, and the final act happens to a known number of them.
#pragma warning disable CA1001 // It lives as long as its process; disposing anything under its last threads would only crash them.
internal sealed class Server(Settings settings)
#pragma warning restore CA1001
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(15);

    private readonly Ledger ledger = new();
    private readonly Socket listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly ManualResetEventSlim signalled = new();
    private readonly ManualResetEventSlim everybodyWaits = new();
    private readonly CountdownEvent held = new(Math.Max(1, settings.Clients));
    private readonly CountdownEvent slowToCome = new(settings.Slow);
    private readonly CountdownEvent atWork = new(1);
    private readonly List<Socket> idle = [];
    private readonly X509Certificate2? certificate = settings.Tls ? SelfSigned() : null;
    private int requests;
    private int acted;
    private int signals;

    public int Run()
    {
        using PosixSignalRegistration? registration =
            settings.OnSignal == "default" ? null : PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, settings.Port));
        if (settings.Listen)
        {
            listener.Listen(512);
            new Thread(Accept) { IsBackground = true }.Start();
        }
        signalled.Wait(TimeSpan.FromMinutes(2));
        if (settings.Clients > 0)
        {
            held.Wait(Bound);
        }
        slowToCome.Wait(Bound);
        listener.Dispose();
        everybodyWaits.Set();
        atWork.Signal();
        atWork.Wait(Bound);
        foreach (Socket socket in settings.ResetIdle ? idle : [])
        {
            socket.LingerState = new LingerOption(true, 0);
            socket.Dispose();
        }
        Thread.Sleep(settings.Linger);
        Console.WriteLine($"ledger {ledger}");
        return settings.Exit;
    }

    private void OnSignal(PosixSignalContext context)
    {
        context.Cancel = true;
        int number = Interlocked.Increment(ref signals);
        if (settings.OnSignal == "drain" || (settings.OnSignal == "second" && number == 2))
        {
            signalled.Set();
        }
    }

    private void Accept()
    {
        try
        {
            while (true)
            {
                Socket socket = listener.Accept();
                new Thread(() => Serve(socket), 256 * 1024) { IsBackground = true }.Start();
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The listener was closed.
        }
    }

    private void Serve(Socket socket)
    {
        try
        {
            using Stream stream = Open(socket);
            for (bool reused = false; ReadRequest(stream, out string path); reused = true)
            {
                if (!Handle(socket, stream, path, reused))
                {
                    return;
                }
            }
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException or System.Security.Authentication.AuthenticationException)
        {
            // The client has gone.
        }
        finally
        {
            bool sits;
            lock (idle)
            {
                sits = idle.Contains(socket);
            }
            if (!sits)
            {
                socket.Dispose();
            }
        }
    }

    // False when the connection is done with.
    private bool Handle(Socket socket, Stream stream, string path, bool reused)
    {
        if (path.StartsWith("/slow", StringComparison.Ordinal))
        {
            atWork.AddCount();
            if (settings.Slow > 0)
            {
                slowToCome.Signal();
            }
            Thread.Sleep(int.Parse(path[(path.IndexOf('=', StringComparison.Ordinal) + 1)..], System.Globalization.CultureInfo.InvariantCulture));
            bool more = Perform(Act.Answer, socket, stream, reused);
            atWork.Signal();
            return more;
        }
        if (signalled.IsSet && settings.Clients > 0)
        {
            atWork.AddCount();
            held.Signal();
            everybodyWaits.Wait(Bound);
            bool more = Perform(settings.Finally, socket, stream, reused);
            atWork.Signal();
            return more;
        }
        Act act = Act.Answer;
        if (settings.Every > 0 && Interlocked.Increment(ref requests) % settings.Every == 0)
        {
            act = settings.Acts[(Interlocked.Increment(ref acted) - 1) % settings.Acts.Count];
        }
        if (settings.ResetIdle)
        {
            lock (idle)
            {
                idle.Add(socket);
            }
        }
        return Perform(act, socket, stream, reused);
    }

    private bool Perform(Act act, Socket socket, Stream stream, bool reused)
    {
        ledger.Enter(act, reused);
        string? answer = act switch
        {
            Act.Answer or Act.AnswerThenFin or Act.AnswerThenReset => "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            Act.AnswerChunked => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nA: b\r\n\r\n",
            Act.AnswerUntilClose => "HTTP/1.0 200 OK\r\n\r\nhello",
            Act.AnswerAndTellToClose => "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
            Act.TruncateLength => "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
            Act.TruncateChunked => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
            Act.Garbage => "SSH-2.0-OpenSSH_9.9 is not HTTP\r\n\r\n",
            Act.Status503 => "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
            _ => null,
        };
        if (answer is not null)
        {
            stream.Write(System.Text.Encoding.ASCII.GetBytes(answer));
        }
        switch (act)
        {
            case Act.Answer or Act.AnswerChunked:
                return true;
            case Act.AnswerThenReset:
                // Only after the client can have read its answer.
                Thread.Sleep(50);
                socket.LingerState = new LingerOption(true, 0);
                return false;
            case Act.Reset:
                socket.LingerState = new LingerOption(true, 0);
                return false;
            case Act.Never:
                // Until the client gives up.
                socket.ReceiveTimeout = (int)Bound.TotalMilliseconds;
                _ = stream.Read(new byte[1]);
                return false;
            default:
                return false;
        }
    }

    private Stream Open(Socket socket)
    {
        var plain = new NetworkStream(socket, ownsSocket: false);
        if (certificate is null)
        {
            return plain;
        }
        var secure = new SslStream(plain);
        secure.AuthenticateAsServer(certificate);
        return secure;
    }

    private static bool ReadRequest(Stream stream, out string path)
    {
        var head = new byte[8192];
        int length = 0;
        path = "";
        while (!head.AsSpan(0, length).EndsWith("\r\n\r\n"u8))
        {
            int count = stream.Read(head, length, head.Length - length);
            if (count == 0)
            {
                return false;
            }
            length += count;
        }
        path = System.Text.Encoding.ASCII.GetString(head, 0, length).Split(' ')[1];
        return true;
    }

    private static X509Certificate2 SelfSigned()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        return request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
    }
}
