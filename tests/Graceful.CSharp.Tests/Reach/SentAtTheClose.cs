using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Hosting;

namespace Graceful.Tests.Reach;

/// <summary>
/// Over a Unix socket the close of a quiet connection and its next request can't cross. The clients aim at that very moment, and the
/// answers to a GET take a little longer than what is read.
/// </summary>
public sealed class SentAtTheClose : IDisposable
{
    private const int Stops = 8;
    private const int Senders = 4;
    private const int ClientsOfEach = 24;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("graceful");
    private int _served;
    private int _notSent;
    private int _lost;

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("GET", false)]
    [InlineData("POST", false)]
    [InlineData("GET", true)]
    [InlineData("POST", true)]
    public async Task Whoever_asks_as_his_quiet_connection_is_closed_is_served_or_hears_that_he_can_not_ask(string method, bool fastCgi)
    {
        var (request, answer) = (method, fastCgi) switch
        {
            ("GET", false) => ("GET /slow?ms=3 HTTP/1.1\r\nHost: localhost\r\n\r\n"u8.ToArray(), "ok, at last"),
            ("GET", true) => (RawFastCgiClient.Request(RawFastCgiClient.Variables(method, "/slow?ms=3")), "ok, at last"),
            (_, false) => ("POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello"u8.ToArray(), "5 bytes"),
            (_, true) => (RawFastCgiClient.Request(RawFastCgiClient.Variables(method, "/upload", ("CONTENT_LENGTH", "5")), body: "hello"u8.ToArray()), "5 bytes"),
        };
        for (var stop = 0; stop < Stops; stop++)
        {
            var address = Path.Combine(_folder.FullName, $"socket{stop}");
            await using var app = await TestApp.StartAsync(
                options => (options.QuietPeriod, options.SettleTime) = (TimeSpan.FromMilliseconds(30), TimeSpan.Zero),
                build: builder => builder.WebHost.ConfigureKestrel(kestrel => kestrel.ListenUnixSocket(address, endpoint =>
                {
                    if (fastCgi)
                    {
                        endpoint.UseFastCgi();
                    }
                })));
            using var ready = new CountdownEvent(Senders);
            using var go = new ManualResetEventSlim();
            var seed = stop;
            var senders = Enumerable.Range(0, Senders)
                .Select(sender => Task.Factory.StartNew(
                    () => Send(address, request, answer, ready, go, new Random((seed * Senders) + sender)), TaskCreationOptions.LongRunning))
                .ToArray();
            Assert.True(ready.Wait(Limits.Hang), "not all clients were served before the stop");
            app.Graceful.Close();
            go.Set();
            await Task.WhenAll(senders).Soon("The last answers");
            Assert.Equal(0, (await app.ReportAsync()).ExitCode);
        }

        Assert.Equal((0, Stops * Senders * ClientsOfEach), (_lost, _served + _notSent));
    }

    private void Send(string address, byte[] request, string answer, CountdownEvent ready, ManualResetEventSlim go, Random random)
    {
        var clients = Enumerable.Range(0, ClientsOfEach).Select(_ => Served(address, request, answer)).ToList();
        ready.Signal();
        Assert.True(go.Wait(Limits.Hang));
        var sent = new List<Socket>();
        foreach (var client in clients)
        {
            var at = Stopwatch.GetTimestamp() + random.Next((int)(Stopwatch.Frequency / 1000));
            while (Stopwatch.GetTimestamp() < at)
            {
                Thread.SpinWait(10);
            }

            try
            {
                client.Send(request);
                sent.Add(client);
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.Shutdown)
            {
                Interlocked.Increment(ref _notSent);
            }
        }

        foreach (var client in sent)
        {
            Interlocked.Increment(ref IsServed(client, answer) ? ref _served : ref _lost);
        }

        clients.ForEach(static client => client.Dispose());
    }

    private static Socket Served(string address, byte[] request, string answer)
    {
        var client = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { ReceiveTimeout = (int)Limits.Hang.TotalMilliseconds };
        client.Connect(new UnixDomainSocketEndPoint(address));
        client.Send(request);
        Assert.True(IsServed(client, answer));
        return client;
    }

    private static bool IsServed(Socket client, string expected)
    {
        var answer = new StringBuilder();
        var buffer = new byte[1024];
        try
        {
            while (!answer.ToString().Contains(expected, StringComparison.Ordinal))
            {
                var read = client.Receive(buffer);
                if (read == 0)
                {
                    return false;
                }

                answer.Append(Encoding.Latin1.GetString(buffer, 0, read));
            }

            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
