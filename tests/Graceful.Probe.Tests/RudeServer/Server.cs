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

    private static readonly TimeSpan Long = TimeSpan.FromMilliseconds(600);

    private readonly Ledger ledger = new();
    private readonly Socket listener = settings.Unix is null
        ? new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp)
        : new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);

    private readonly ManualResetEventSlim signalled = new();
    private readonly ManualResetEventSlim everybodyWaits = new();
    private readonly CountdownEvent held = new(Math.Max(1, settings.Clients));
    private readonly CountdownEvent slowToCome = new(settings.Slow);
    private readonly CountdownEvent atWork = new(1);
    private readonly Dictionary<Socket, (Socket, Stream, Dialect)> idle = [];
    private readonly X509Certificate2? certificate = settings.Tls ? SelfSigned() : null;
    private int requests;
    private int acted;
    private int signals;

    public int Run()
    {
        using PosixSignalRegistration? registration =
            settings.OnSignal == "default" ? null : PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal);
        listener.Bind(settings.Unix is null ? new IPEndPoint(IPAddress.Loopback, settings.Port) : new UnixDomainSocketEndPoint(settings.Unix));
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
        EndIdle();
        Thread.Sleep(settings.Linger);
        Console.WriteLine($"ledger {ledger}");
        return settings.Exit;
    }

    private void EndIdle()
    {
        lock (idle)
        {
            foreach ((Socket socket, Stream stream, Dialect dialect) in idle.Values)
            {
                if (dialect.Words(settings.IdleEnd!.Value) is { Length: > 0 } words)
                {
                    stream.Write(words);
                }
                if (settings.IdleEnd == Act.Reset)
                {
                    socket.LingerState = new LingerOption(true, 0);
                    socket.Dispose();
                }
                else
                {
                    // Somebody still reads here, and under him a close would be a reset.
                    socket.Shutdown(SocketShutdown.Send);
                }
            }
        }
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
            Stream stream = Open(socket);
            Dialect dialect = Dialect.Of(settings.Protocol, stream);
            bool goesOn = true, reused = false;
            // When nothing is at work any more, the books are closed.
            while (goesOn && dialect.ReadRequest(out string path) && atWork.TryAddCount())
            {
                try
                {
                    Act act = Choose(socket, stream, dialect, path, out int count);
                    Fate fate = dialect.FateOf(act);
                    ledger.Enter(act, fate, reused, count);
                    // Also a short body is an answer to its end, as the frames have it.
                    reused |= fate is Fate.Ok or Fate.OtherStatus || act == Act.ShortBody;
                    goesOn = Perform(act, socket, stream, dialect, reused);
                }
                finally
                {
                    atWork.Signal();
                }
            }
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException or System.Security.Authentication.AuthenticationException)
        {
            // The client has gone.
        }
        finally
        {
            lock (idle)
            {
                idle.Remove(socket);
                socket.Dispose();
            }
        }
    }

    // What is to be done with the requests at hand, when the time for it has come.
    private Act Choose(Socket socket, Stream stream, Dialect dialect, string path, out int count)
    {
        count = 1;
        if (path.StartsWith("/slow", StringComparison.Ordinal))
        {
            if (settings.Slow > 0)
            {
                slowToCome.Signal();
            }
            Thread.Sleep(int.Parse(path[(path.IndexOf('=', StringComparison.Ordinal) + 1)..], System.Globalization.CultureInfo.InvariantCulture));
            return Act.Answer;
        }
        // The signal has to wait for the rest of the first round of acts, however slow the machine is.
        if (signalled.IsSet && settings.Clients > 0 && Volatile.Read(ref acted) >= settings.Acts.Count)
        {
            count = dialect.Gather(settings.Streams);
            held.Signal(count);
            everybodyWaits.Wait(Bound);
            return settings.Finally;
        }
        Act act = Act.Answer;
        if (settings.Every > 0 && Interlocked.Increment(ref requests) % settings.Every == 0)
        {
            act = settings.Acts[(Interlocked.Increment(ref acted) - 1) % settings.Acts.Count];
        }
        if (act == Act.Reset)
        {
            // A reset takes with it what is still on its way, and nobody can book that. So it waits until nothing can be.
            count = dialect.Gather(settings.Streams);
        }
        if (settings.IdleEnd is not null)
        {
            lock (idle)
            {
                idle[socket] = (socket, stream, dialect);
            }
        }
        return act;
    }

    // False when the connection is done with.
    private bool Perform(Act act, Socket socket, Stream stream, Dialect dialect, bool reused)
    {
        if (act == Act.TellToCloseLate)
        {
            Thread.Sleep(Long);
        }
        if (dialect.Words(act) is { Length: > 0 } words)
        {
            stream.Write(words);
        }
        switch (act)
        {
            case Act.HoldLong:
                Thread.Sleep(Long);
                stream.Write(dialect.Words(Act.EndOfHold));
                return false;
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
                return dialect.GoesOn(act) || End(act, socket, dialect, reused);
        }
    }

    // What the client sends until it sees the end is read and booked; unread, it would be answered with a reset.
    private bool End(Act act, Socket socket, Dialect dialect, bool reused)
    {
        dialect.Ended = true;
        socket.Shutdown(SocketShutdown.Send);
        socket.ReceiveTimeout = (int)Bound.TotalMilliseconds;
        while (dialect.ReadRequest(out _))
        {
            ledger.Enter(act, dialect.FateBehind(act), reused);
        }
        return false;
    }

    private Stream Open(Socket socket)
    {
        var plain = new NetworkStream(socket, ownsSocket: false);
        if (certificate is null)
        {
            return plain;
        }
        var secure = new SslStream(plain);
        secure.AuthenticateAsServer(new SslServerAuthenticationOptions
        {
            ServerCertificate = certificate,
            ApplicationProtocols = settings.Protocol == "http2" ? [SslApplicationProtocol.Http2] : null,
        });
        return secure;
    }

    private static X509Certificate2 SelfSigned()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        return request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
    }
}
