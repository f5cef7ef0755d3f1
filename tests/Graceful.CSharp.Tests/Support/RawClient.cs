using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Graceful.Tests.Support;

/// <summary>How a connection ended, seen from the client.</summary>
internal enum Ending
{
    Fin,
    Reset,
}

/// <summary>A client that retries nothing and hides nothing: it sends bytes, and says what came back.</summary>
internal sealed class RawClient : IDisposable
{
    private readonly Socket _socket;
    private readonly byte[] _buffer = new byte[65536];
    private Stream _stream;
    private int _from;
    private int _to;

    private RawClient(Socket socket)
    {
        _socket = socket;
        _stream = new NetworkStream(socket);
    }

    public static Task<RawClient> ConnectAsync(int port, bool smallWindow = false) =>
        ConnectAsync(new IPEndPoint(IPAddress.Loopback, port), smallWindow);

    /// <summary>A connection; with a small window its kernel takes in little, and what follows waits at the server.</summary>
    public static async Task<RawClient> ConnectAsync(EndPoint address, bool smallWindow = false)
    {
        var isUnix = address is UnixDomainSocketEndPoint;
        var socket = new Socket(address.AddressFamily, SocketType.Stream, isUnix ? ProtocolType.Unspecified : ProtocolType.Tcp);
        try
        {
            if (!isUnix)
            {
                socket.NoDelay = true;
            }

            if (smallWindow)
            {
                socket.ReceiveBufferSize = 32768;
            }

            await socket.ConnectAsync(address).Soon("The connection");
            return new RawClient(socket);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>A connection that was served once, and is idle.</summary>
    public static async Task<RawClient> IdleAsync(int port)
    {
        var client = await ConnectAsync(port);
        var response = await client.GetAsync("/");
        Assert.Equal(200, response.Status);
        Assert.False(response.IsTold);
        return client;
    }

    public Task<RawClient> WithTlsAsync() => WithTlsAsync(Certificate.ForTests);

    /// <summary>With a protocol that is spoken inside.</summary>
    public Task<RawClient> WithTlsAsync(SslApplicationProtocol inside) => WithTlsAsync(Certificate.ForTests, inside);

    public async Task<RawClient> WithTlsAsync(X509Certificate certificate, SslApplicationProtocol? inside = null)
    {
        var tls = new SslStream(_stream, leaveInnerStreamOpen: false, (_, theirs, _, _) => theirs?.GetCertHashString() == certificate.GetCertHashString());
        _stream = tls;
        var options = new SslClientAuthenticationOptions { TargetHost = "localhost", ApplicationProtocols = inside is { } protocol ? [protocol] : null };
        await tls.AuthenticateAsClientAsync(options).Soon("The TLS handshake");
        return this;
    }

    public Task SendAsync(string text) => SendAsync(Encoding.Latin1.GetBytes(text));

    public async Task SendAsync(ReadOnlyMemory<byte> bytes)
    {
        await _stream.WriteAsync(bytes).AsTask().Soon("Sending");
        await _stream.FlushAsync().Soon("Sending");
    }

    public Task SendGetAsync(string path) => SendAsync($"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");

    public async Task<RawResponse> GetAsync(string path)
    {
        await SendGetAsync(path);
        return await ReadAsync();
    }

    public void HalfClose() => _socket.Shutdown(SocketShutdown.Send);

    /// <summary>Goes away with a RST.</summary>
    public void Reset()
    {
        _socket.LingerState = new LingerOption(true, 0);
        _socket.Dispose();
    }

    /// <summary>The head of a response alone; its body is read with <see cref="ReadBytesAsync"/>.</summary>
    public async Task<RawResponse> ReadHeadAsync()
    {
        var status = await ReadLineAsync();
        var words = status.Split(' ');
        Assert.True(words.Length >= 2 && words[0].StartsWith("HTTP/1.", StringComparison.Ordinal), $"A status line, not '{status}'.");
        var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        for (var line = await ReadLineAsync(); line.Length > 0; line = await ReadLineAsync())
        {
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            headers[line[..colon]] = line[(colon + 1)..].Trim();
        }

        return new RawResponse(int.Parse(words[1], CultureInfo.InvariantCulture), headers, []);
    }

    public async Task<RawResponse> ReadAsync()
    {
        var head = await ReadHeadAsync();
        return head with { Body = await ReadBodyAsync(head) };
    }

    public async Task<byte[]> ReadBodyAsync(RawResponse head)
    {
        if (head.Headers.TryGetValue("Content-Length", out var length))
        {
            return await ReadBytesAsync(int.Parse(length, CultureInfo.InvariantCulture));
        }

        using var body = new MemoryStream();
        if (head.Headers.TryGetValue("Transfer-Encoding", out var coding) && coding == "chunked")
        {
            while (int.Parse(await ReadLineAsync(), NumberStyles.HexNumber, CultureInfo.InvariantCulture) is var size and > 0)
            {
                body.Write(await ReadBytesAsync(size));
                Assert.Equal("", await ReadLineAsync());
            }

            Assert.Equal("", await ReadLineAsync());
        }

        return body.ToArray();
    }

    public async Task<byte[]> ReadBytesAsync(int count)
    {
        var bytes = new byte[count];
        for (var have = 0; have < count;)
        {
            if (_from == _to && !await FillAsync())
            {
                throw new EndOfStreamException($"The connection ended after {have} of {count} bytes.");
            }

            var some = Math.Min(count - have, _to - _from);
            _buffer.AsSpan(_from, some).CopyTo(bytes.AsSpan(have));
            _from += some;
            have += some;
        }

        return bytes;
    }

    /// <summary>Waits for the end of the connection, before which nothing may come.</summary>
    public async Task<Ending> EndAsync()
    {
        Assert.Equal("", Encoding.Latin1.GetString(_buffer, _from, _to - _from));
        try
        {
            var more = await FillAsync();
            Assert.False(more, $"The end, not '{Encoding.Latin1.GetString(_buffer, _from, _to - _from)}'.");
            return Ending.Fin;
        }
        catch (IOException e) when (e.InnerException is SocketException)
        {
            return Ending.Reset;
        }
    }

    /// <summary>Everything until the end, however the end comes.</summary>
    public async Task<(string Text, Ending Ending)> ReadToEndAsync()
    {
        var text = new StringBuilder();
        try
        {
            do
            {
                text.Append(Encoding.Latin1.GetString(_buffer, _from, _to - _from));
                _from = _to;
            }
            while (await FillAsync());
            return (text.ToString(), Ending.Fin);
        }
        catch (IOException e) when (e.InnerException is SocketException)
        {
            return (text.ToString(), Ending.Reset);
        }
    }

    /// <summary>Whether the server has ended the connection, or sent anything, without waiting for it.</summary>
    public bool HasNews => _from < _to || _socket.Poll(TimeSpan.Zero, SelectMode.SelectRead);

    public void Dispose()
    {
        _stream.Dispose();
        _socket.Dispose();
    }

    private async Task<string> ReadLineAsync()
    {
        var line = new StringBuilder();
        while (true)
        {
            if (_from == _to && !await FillAsync())
            {
                throw new EndOfStreamException($"The connection ended in the line '{line}'.");
            }

            var next = (char)_buffer[_from++];
            if (next == '\n')
            {
                return line.ToString().TrimEnd('\r');
            }

            line.Append(next);
        }
    }

    private async Task<bool> FillAsync()
    {
        _from = 0;
        _to = 0;
        _to = await _stream.ReadAsync(_buffer).AsTask().Soon("An answer, or the end of the connection,");
        return _to > 0;
    }
}
