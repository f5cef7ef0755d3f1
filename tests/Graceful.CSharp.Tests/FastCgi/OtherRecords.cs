using System.Text;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Hosting;

namespace Graceful.Tests.FastCgi;

/// <summary>Records that are no request: each has an answer, or an end.</summary>
public sealed class OtherRecords
{
    [Fact]
    public async Task Values_that_are_asked_for_are_told_and_others_are_not()
    {
        await using var app = await TestApp.StartAsync(
            listen: endpoint => endpoint.UseFastCgi(), build: builder => builder.WebHost.ConfigureKestrel(kestrel => kestrel.Limits.MaxConcurrentConnections = 77));
        using var client = await RawFastCgiClient.ConnectAsync(app.Port);
        await client.SendAsync(RawFastCgiClient.Record(
            RawFastCgiClient.GetValues, 0, RawFastCgiClient.Pairs(("FCGI_MAX_CONNS", ""), ("FCGI_MAX_REQS", ""), ("FCGI_MPXS_CONNS", ""), ("FCGI_MIND", ""))));
        var record = await client.ReadRecordAsync();
        Assert.Equal((RawFastCgiClient.GetValuesResult, 0), (record.Type, record.Id));
        Assert.Equal(RawFastCgiClient.Pairs(("FCGI_MAX_CONNS", "77"), ("FCGI_MAX_REQS", "77"), ("FCGI_MPXS_CONNS", "0")), record.Content);
        await client.SendAsync(RawFastCgiClient.Record(RawFastCgiClient.GetValues, 0, []));
        Assert.Empty((await client.ReadRecordAsync()).Content);
        Assert.Equal("ok", (await client.GetAsync("/")).Text);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(12)]
    [InlineData(255)]
    public async Task A_type_that_nobody_knows_is_said_to_be_unknown(byte type)
    {
        await using var app = await Responses.StartAsync();
        using var client = await RawFastCgiClient.ConnectAsync(app.Port);
        await client.SendAsync(RawFastCgiClient.Record(type, 0, "what?"u8, padding: 3));
        var record = await client.ReadRecordAsync();
        Assert.Equal((RawFastCgiClient.UnknownType, 0), (record.Type, record.Id));
        Assert.Equal([type, 0, 0, 0, 0, 0, 0, 0], record.Content);
        Assert.Equal("ok", (await client.GetAsync("/")).Text);
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(2, true)]
    [InlineData(3, true)]
    [InlineData(258, true)]
    [InlineData(2, false)]
    public async Task A_role_that_is_not_ours_is_refused(int role, bool keep)
    {
        await using var app = await Responses.StartAsync();
        using var client = await RawFastCgiClient.ConnectAsync(app.Port);
        await client.SendAsync(RawFastCgiClient.BeginRecord(id: 9, keep, role));
        var answer = await client.ReadAsync(id: 9);
        Assert.Equal((3, 0), (answer.ProtocolStatus, answer.Body.Length));
        if (keep)
        {
            await client.SendAsync((byte[])[.. RawFastCgiClient.Record(RawFastCgiClient.Params, 9, []), .. RawFastCgiClient.Record(RawFastCgiClient.Stdin, 9, [])]);
            Assert.Equal("ok", (await client.GetAsync("/")).Text);
        }
        else
        {
            Assert.Equal(Ending.Fin, await client.EndAsync());
        }
    }

    [Fact]
    public async Task A_second_request_at_the_same_time_is_refused_and_the_first_goes_on()
    {
        await using var app = await Responses.StartAsync();
        using var client = await RawFastCgiClient.ConnectAsync(app.Port);
        await client.SendGetAsync("/door");
        await app.Door.Reached();
        await client.SendGetAsync("/", id: 2);
        Assert.Equal(1, (await client.ReadAsync(id: 2)).ProtocolStatus);
        await client.SendAsync(RawFastCgiClient.Record(RawFastCgiClient.GetValues, 0, []));
        Assert.Equal(RawFastCgiClient.GetValuesResult, (await client.ReadRecordAsync()).Type);
        app.Door.Open();
        Assert.Equal("ok, at last", (await client.ReadAsync()).Text);
        await client.SendGetAsync("/", id: 2);
        Assert.Equal("ok", (await client.ReadAsync(id: 2)).Text);
    }

    [Fact]
    public async Task Records_of_requests_that_there_are_not_are_ignored()
    {
        await using var app = await Responses.StartAsync();
        using var client = await RawFastCgiClient.ConnectAsync(app.Port);
        byte[] strange = [.. new byte[] { 2, 3, 4, 5, 6, 7, 8, 10, 99 }.SelectMany(type => RawFastCgiClient.Record(type, 5, "strange"u8, padding: 2))];
        var variables = RawFastCgiClient.Variables("POST", "/echo", ("CONTENT_LENGTH", "4"));
        await client.SendAsync((byte[])[
            .. strange, .. RawFastCgiClient.BeginRecord(), .. strange, .. RawFastCgiClient.Record(RawFastCgiClient.Params, 1, variables), .. strange,
            .. RawFastCgiClient.Record(RawFastCgiClient.Params, 1, []), .. strange, .. RawFastCgiClient.Record(RawFastCgiClient.Stdin, 1, "ab"u8, padding: 1), .. strange,
            .. RawFastCgiClient.Record(RawFastCgiClient.Stdin, 1, "cd"u8, padding: 200), .. RawFastCgiClient.Record(RawFastCgiClient.Stdin, 1, []), .. strange]);
        Assert.Equal("abcd", (await client.ReadAsync()).Text);
        Assert.Equal("ok", (await client.GetAsync("/")).Text);
    }

    public static TheoryData<string, byte[]> Senseless() => new()
    {
        { "version 0", RawFastCgiClient.Record(RawFastCgiClient.GetValues, 0, [], version: 0) },
        { "version 2", RawFastCgiClient.Record(RawFastCgiClient.Begin, 1, [0, 1, 1, 0, 0, 0, 0, 0], version: 2) },
        { "HTTP", Encoding.ASCII.GetBytes("GET / HTTP/1.1\r\n\r\n") },
        { "a beginning that is too short", RawFastCgiClient.Record(RawFastCgiClient.Begin, 1, [0, 1, 1]) },
        { "a beginning twice", [.. RawFastCgiClient.BeginRecord(), .. RawFastCgiClient.BeginRecord()] },
        { "a body before its variables", [.. RawFastCgiClient.BeginRecord(), .. RawFastCgiClient.Record(RawFastCgiClient.Stdin, 1, "early"u8)] },
    };

    [Theory]
    [MemberData(nameof(Senseless), DisableDiscoveryEnumeration = true)]
    public async Task What_makes_no_sense_ends_the_connection_without_an_answer(string what, byte[] bytes)
    {
        await using var app = await Responses.StartAsync();
        using var client = await RawFastCgiClient.ConnectAsync(app.Port);
        await client.SendAsync(bytes);
        var (text, _) = await client.Raw.ReadToEndAsync();
        Assert.True(text.Length == 0, $"{what}: {text}");
        await Limits.Until(() => app.Log.OfGraceful.Any(entry => entry.Id.Id == 82), "the log says so");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Who_takes_too_long_is_let_go(bool hasBegun)
    {
        await using var app = await Responses.StartAsync(options =>
            (options.FastCgi.IdleTimeout, options.FastCgi.ParamsTimeout) = hasBegun ? (TimeSpan.FromMinutes(1), TimeSpan.FromMilliseconds(1)) : (TimeSpan.FromMilliseconds(1), TimeSpan.FromMinutes(1)));
        using var client = await RawFastCgiClient.ConnectAsync(app.Port);
        if (hasBegun)
        {
            await client.SendAsync(RawFastCgiClient.BeginRecord(keep: false));
            Assert.Equal(408, (await client.ReadAsync()).Status);
            await client.SendAsync((byte[])[.. RawFastCgiClient.Record(RawFastCgiClient.Params, 1, []), .. RawFastCgiClient.Record(RawFastCgiClient.Stdin, 1, [])]);
        }

        Assert.Equal(Ending.Fin, await client.EndAsync());
    }
}
