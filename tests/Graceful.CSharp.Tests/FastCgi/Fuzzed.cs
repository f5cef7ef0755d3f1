using System.Buffers;
using System.IO.Pipelines;
using Graceful.FastCgi;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging.Abstractions;

namespace Graceful.Tests.FastCgi;

/// <summary>
/// Random and mutated records, in memory: never an exception out, never more memory than a connection may have, always an end, and whatever is
/// answered is whole records. GRACEFUL_FASTCGI_RECORDS says how many, GRACEFUL_SEED with which seed; <c>build.fsx fastcgi</c> makes it 100,000 and more.
/// </summary>
public sealed class Fuzzed
{
    private const int RecordsOfStream = 12;

    /// <summary>What the pipes of one connection may hold: two of the test's with 64 KiB each, and a body; each may be overdrawn by one write.</summary>
    private const int MostRented = 1 << 20;

    private static readonly int Count = int.TryParse(Environment.GetEnvironmentVariable("GRACEFUL_FASTCGI_RECORDS"), out var count) ? count : 12_000;

    private static readonly int Seed = int.TryParse(Environment.GetEnvironmentVariable("GRACEFUL_SEED"), out var seed) ? seed : 2026;

    [Fact]
    public async Task Whatever_comes_has_an_end_and_takes_no_memory()
    {
        var requests = 0;
        var records = 0;
        for (var number = 0; records < Count; number++)
        {
            var dice = new Random(unchecked((Seed * 1_000_003) + number));
            var stream = Make(dice, out var made);
            records += made;
            try
            {
                requests += await ServeAsync(stream, dice);
            }
            catch (Exception e)
            {
                Assert.Fail($"GRACEFUL_SEED={Seed}, stream {number}: {e}\n{Convert.ToHexString(stream.AsSpan(0, Math.Min(stream.Length, 2000)))}");
            }
        }

        // Mutations that left nothing to serve would have shown nothing.
        Assert.InRange(requests, records / 100, int.MaxValue);
    }

    [Fact]
    public async Task A_request_that_begins_in_the_middle_of_a_body_that_nobody_wanted_keeps_no_memory_of_it()
    {
        using var memory = new CountedMemory();
        var pipeOptions = new PipeOptions(memory, useSynchronizationContext: false);
        var (input, output) = (new Pipe(pipeOptions), new Pipe(pipeOptions));
        var transport = new DefaultConnectionContext("halfway") { Transport = new Duplex(input.Reader, output.Writer) };
        transport.Features.Set<Microsoft.AspNetCore.Connections.Features.IMemoryPoolFeature>(memory);
        var application = new Careless();
        using var connection = new FastCgiConnection(
            transport, new Application<IFeatureCollection>(application), new KestrelServerOptions(), new FastCgiLimits(), NullLogger.Instance);
        var running = connection.RunAsync();
        var reading = CheckAsync(output.Reader);
        var whole = RawFastCgiClient.Request(RawFastCgiClient.Variables("POST", "/6", ("CONTENT_LENGTH", "9000")), body: new byte[9000]);
        await input.Writer.WriteAsync(whole.AsMemory(0, whole.Length - 1000), TestContext.Current.CancellationToken);
        await Limits.Until(() => application.Waiting == 1 && memory.Rented > 8000, "the body is there, and nobody reads it");
        application.Go();
        await Limits.Until(() => application.Ended == 1, "the request has ended");
        await input.Writer.WriteAsync(whole.AsMemory(whole.Length - 1000, 1000 - 8), TestContext.Current.CancellationToken);
        await input.Writer.WriteAsync(RawFastCgiClient.Request(RawFastCgiClient.Variables("GET", "/3")), TestContext.Current.CancellationToken);
        await input.Writer.CompleteAsync();
        await running.Soon("The end of the connection");
        await reading.Soon("The end of the answers");
        Assert.Equal((2, 0), (application.Requests, memory.Rented));
    }

    [Fact]
    public void Pairs_that_are_cut_anywhere_are_read_up_to_there()
    {
        var dice = new Random(Seed);
        var pairs = RawFastCgiClient.Variables("GET", "/say", ("HTTP_X", new string('x', 300)));
        for (var cut = 0; cut < pairs.Length; cut++)
        {
            var reader = new NameValueReader(pairs.AsSpan(0, cut));
            var read = 0;
            while (reader.Next())
            {
                read++;
            }

            Assert.True(read < 19);
            Assert.True(reader.IsMalformed || cut == 0 || pairs[cut] < 128);
        }

        var map = new RequestMap();
        for (var time = 0; time < 2000; time++)
        {
            var random = (byte[])pairs.Clone();
            for (var flips = dice.Next(1, 8); flips > 0; flips--)
            {
                random[dice.Next(random.Length)] = (byte)dice.Next(256);
            }

            random = random[..dice.Next(random.Length + 1)];
            var status = map.Read(random, 100, out var why);
            Assert.True(status is 200 or 400 && (status == 200) == why is null, $"{status} {why}");

            // What it remembers of those before changes nothing.
            var fresh = new RequestMap();
            Assert.Equal((fresh.Read(random, 100, out var alone), alone), (status, why));
            if (status == 200)
            {
                Assert.Equal(AllOf(fresh), AllOf(map));
            }
        }
    }

    private static string AllOf(RequestMap map) =>
        $"{map.Method} {map.Scheme} {map.Protocol} {map.Target} {map.ContentLength} {map.RemoteAddress}:{map.RemotePort} {map.LocalAddress}:{map.LocalPort} {string.Join('\n', map.Headers)}";

    private static byte[] Make(Random dice, out int records)
    {
        var made = new List<byte[]>();
        while (made.Count < RecordsOfStream)
        {
            var id = dice.Next(8) == 0 ? dice.Next(0, 65536) : 1;
            switch (dice.Next(10))
            {
                case < 6:
                    made.Add(RawFastCgiClient.BeginRecord(id, dice.Next(4) > 0, dice.Next(10) == 0 ? dice.Next(5) : 1));
                    var body = new byte[dice.Next(3) * dice.Next(3000)];
                    byte[] variables = RawFastCgiClient.Variables(
                        body.Length > 0 ? "POST" : "GET", $"/{dice.Next(6)}", ("CONTENT_LENGTH", dice.Next(3) == 0 ? "" : $"{(dice.Next(5) == 0 ? dice.Next(70_000) : body.Length)}"));
                    made.AddRange(variables.Chunk(dice.Next(1, 4) == 1 ? dice.Next(20, 400) : 10_000).Select(piece => RawFastCgiClient.Record(RawFastCgiClient.Params, id, piece, dice.Next(3) * dice.Next(8))));
                    made.Add(RawFastCgiClient.Record(RawFastCgiClient.Params, id, []));
                    made.AddRange(body.Chunk(1000).Select(piece => RawFastCgiClient.Record(RawFastCgiClient.Stdin, id, piece)));
                    made.Add(RawFastCgiClient.Record(RawFastCgiClient.Stdin, id, []));
                    break;
                case 6:
                    made.Add(RawFastCgiClient.Record(RawFastCgiClient.Abort, id, []));
                    break;
                case 7:
                    made.Add(RawFastCgiClient.Record(RawFastCgiClient.GetValues, 0, RawFastCgiClient.Pairs(("FCGI_MAX_CONNS", ""))));
                    break;
                case 8:
                    made.Add(RawFastCgiClient.Record((byte)dice.Next(256), dice.Next(2) * id, new byte[dice.Next(50)], dice.Next(256)));
                    break;
                default:
                    var noise = new byte[dice.Next(dice.Next(4) == 0 ? 65536 : 40)];
                    dice.NextBytes(noise);
                    made.Add(RawFastCgiClient.Record((byte)dice.Next(1, 12), id, noise));
                    break;
            }
        }

        records = made.Count;
        for (var changes = dice.Next(4); changes > 0; changes--)
        {
            var at = dice.Next(made.Count);
            switch (dice.Next(4))
            {
                case 0:
                    made[at] = [.. made[at]];
                    made[at][dice.Next(dice.Next(2) == 0 ? Math.Min(8, made[at].Length) : made[at].Length)] = (byte)dice.Next(256);
                    break;
                case 1:
                    made[at] = [];
                    break;
                case 2:
                    made.Insert(at, made[dice.Next(made.Count)]);
                    break;
                default:
                    made[at] = made[at][..dice.Next(made[at].Length + 1)];
                    break;
            }

            made.RemoveAll(record => record.Length == 0);
            if (made.Count == 0)
            {
                break;
            }
        }

        byte[] all = [.. made.SelectMany(record => record)];
        return dice.Next(6) == 0 ? all[..dice.Next(all.Length + 1)] : all;
    }

    /// <returns>How many requests got to the application.</returns>
    private static async Task<int> ServeAsync(byte[] stream, Random dice)
    {
        using var memory = new CountedMemory();
        using var closed = new CancellationTokenSource();
        var pipeOptions = new PipeOptions(memory, useSynchronizationContext: false);
        var (input, output) = (new Pipe(pipeOptions), new Pipe(pipeOptions));
        var transport = new DefaultConnectionContext("fuzzed") { Transport = new Duplex(input.Reader, output.Writer), ConnectionClosed = closed.Token };
        transport.Features.Set<Microsoft.AspNetCore.Connections.Features.IMemoryPoolFeature>(memory);
        var application = new Careless();
        using var connection = new FastCgiConnection(
            transport, new Application<IFeatureCollection>(application), new KestrelServerOptions(), new FastCgiLimits { MaxParamsSize = 4096 }, NullLogger.Instance);
        var running = connection.RunAsync();
        var reading = CheckAsync(output.Reader);
        for (var from = 0; from < stream.Length;)
        {
            var some = Math.Min(stream.Length - from, dice.Next(3) == 0 ? dice.Next(1, 20) : dice.Next(1, 20_000));
            if ((await input.Writer.WriteAsync(stream.AsMemory(from, some)).AsTask().Soon("Taking what came")).IsCompleted)
            {
                break;
            }

            from += some;
        }

        await input.Writer.CompleteAsync();
        await running.Soon("The end of the connection");
        await reading.Soon("The end of the answers");
        Assert.InRange(memory.Most, 0, MostRented);
        Assert.Equal(0, memory.Rented);
        return application.Requests;
    }

    /// <summary>Reads what is answered: records of types that a responder sends, up to the end or to where the connection was aborted.</summary>
    private static async Task CheckAsync(PipeReader output)
    {
        while (true)
        {
            var read = await output.ReadAsync();
            var rest = read.Buffer;
            for (var record = rest; RecordHeader.TryRead(ref record, out var header); record = rest)
            {
                Assert.True(header.Version == 1 && header.Type is RecordType.EndRequest or RecordType.StandardOutput or RecordType.StandardError or RecordType.GetValuesResult or RecordType.UnknownType);
                if (record.Length < header.ContentLength + header.PaddingLength)
                {
                    break;
                }

                rest = record.Slice(header.ContentLength + header.PaddingLength);
            }

            if (read.IsCompleted)
            {
                Assert.True(rest.IsEmpty, "The last record is whole.");
                break;
            }

            output.AdvanceTo(rest.Start, rest.End);
        }

        await output.CompleteAsync();
    }

    /// <summary>An application that reads or does not, answers or fails, as it is asked.</summary>
    private sealed class Careless : IHttpApplication<IFeatureCollection>
    {
        private readonly TaskCompletionSource _go = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _requests;
        private int _waiting;
        private int _ended;

        public int Requests => Volatile.Read(ref _requests);

        public int Waiting => Volatile.Read(ref _waiting);

        public int Ended => Volatile.Read(ref _ended);

        public void Go() => _go.SetResult();

        public IFeatureCollection CreateContext(IFeatureCollection contextFeatures) => contextFeatures;

        public async Task ProcessRequestAsync(IFeatureCollection context)
        {
            Interlocked.Increment(ref _requests);
            var request = context.GetRequiredFeature<IHttpRequestFeature>();
            var response = context.GetRequiredFeature<IHttpResponseBodyFeature>();
            switch (request.Path)
            {
                case "/0":
                    await request.Body.CopyToAsync(response.Stream);
                    break;
                case "/1":
                    throw new InvalidOperationException("at once");
                case "/2":
                    await response.Stream.WriteAsync(new byte[100_000]);
                    throw new InvalidOperationException("in the middle");
                case "/3":
                    await Task.Yield();
                    context.GetRequiredFeature<IHttpResponseFeature>().StatusCode = 404;
                    break;
                case "/4":
                    var token = context.GetRequiredFeature<IHttpRequestLifetimeFeature>().RequestAborted;
                    await request.Body.CopyToAsync(Stream.Null, token);
                    await Task.Yield();
                    token.ThrowIfCancellationRequested();
                    break;
                case "/6":
                    Interlocked.Increment(ref _waiting);
                    await _go.Task;
                    break;
                default:
                    await context.GetRequiredFeature<IRequestBodyPipeFeature>().Reader.ReadAsync();
                    response.Writer.GetSpan(10)[..10].Fill(1);
                    response.Writer.Advance(10);
                    break;
            }
        }

        public void DisposeContext(IFeatureCollection context, Exception? exception) => Interlocked.Increment(ref _ended);
    }

    /// <summary>Pages as the transport's, counted.</summary>
    private sealed class CountedMemory : MemoryPool<byte>, Microsoft.AspNetCore.Connections.Features.IMemoryPoolFeature
    {
        private int _rented;
        private int _most;

        public int Rented => Volatile.Read(ref _rented);

        public int Most => Volatile.Read(ref _most);

        public override int MaxBufferSize => 4096;

        public MemoryPool<byte> MemoryPool => this;

        public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
        {
            var rented = Interlocked.Add(ref _rented, 4096);
            for (var most = Most; rented > most; most = Most)
            {
                Interlocked.CompareExchange(ref _most, rented, most);
            }

            return new Page(this, ArrayPool<byte>.Shared.Rent(4096));
        }

        protected override void Dispose(bool disposing)
        {
        }

        private sealed class Page(CountedMemory pool, byte[] bytes) : IMemoryOwner<byte>
        {
            private byte[]? _bytes = bytes;

            public Memory<byte> Memory => _bytes;

            public void Dispose()
            {
                if (Interlocked.Exchange(ref _bytes, null) is { } own)
                {
                    Interlocked.Add(ref pool._rented, -4096);
                    ArrayPool<byte>.Shared.Return(own);
                }
            }
        }
    }
}
