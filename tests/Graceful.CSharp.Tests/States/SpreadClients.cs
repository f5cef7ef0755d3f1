using Graceful.Core;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Graceful.Tests.States;

/// <summary>Clients of HTTP/2 in a lame duck: each is told at a moment of its own, and nobody loses a stream by it.</summary>
public sealed class SpreadClients
{
    private const int Everything = int.MaxValue;
    private const int Many = 40;

    private readonly ManualTime _time = new();

    [Fact]
    public async Task They_are_told_one_after_the_other_and_all_that_they_ask_is_served()
    {
        await using var app = await TestApp.StartAsync(
            options =>
            {
                options.LameDuck = TimeSpan.FromSeconds(100);
                options.GracePeriod = TimeSpan.FromHours(1);
                options.SettleTime = TimeSpan.Zero;
                options.TimeProvider = _time;
            },
            listen => listen.Protocols = HttpProtocols.Http2);
        var clients = await ClientsAsync(app);
        await app.BeginLameDuckAsync();
        await Limits.Until(() => app.Engine.Table.All.All(connection => connection.IsNoticePutOff || !ConnectionModule.awaitsNotice(connection.Now)), "everybody has a moment");
        var told = Told(app);
        Assert.InRange(told, 0, 5);
        for (var quarter = 1; quarter <= 3; quarter++)
        {
            _time.Advance(TimeSpan.FromSeconds(25));
            Assert.InRange(Told(app) - told, (Many / 4) - 5, (Many / 4) + 5);
            told = Told(app);
            await Limits.Until(() => clients.Count(client => client.HasNews) == told, "who was told hears of it, and nobody else");
        }

        // Who came to know of it, and who did not, may go on asking.
        foreach (var client in clients)
        {
            var wasTold = client.HasNews;
            Assert.Equal("ok", await client.ReadAsync(await client.SendGetAsync("/")));
            Assert.Equal(wasTold ? [Everything] : [], client.GoAways);
        }

        _time.Advance(TimeSpan.FromSeconds(25));
        await app.UntilTellingAsync("Draining");
        app.Door.Open();
        foreach (var client in clients)
        {
            // The second stream was the last: 3.
            Assert.Equal((3, Ending.Fin), await client.EndAsync());
            Assert.Equal([Everything, 3], client.GoAways);
            client.Dispose();
        }

        await Limits.Until(() => app.Engine.Table.Count == 0, "everybody has left");
        var report = await app.ReportAsync();
        Assert.Equal((0, 2 * Many, Many), (report.ExitCode, (int)report.RequestsFinished, (int)report.ConnectionsTold));
    }

    private static int Told(TestApp app) => app.Engine.Table.All.Count(connection => !ConnectionModule.awaitsNotice(connection.Now));

    private static async Task<List<RawHttp2Client>> ClientsAsync(TestApp app)
    {
        var clients = new List<RawHttp2Client>();
        for (var i = 0; i < Many; i++)
        {
            var client = await RawHttp2Client.ConnectAsync(app.Port);
            await client.SendGetAsync("/door");
            clients.Add(client);
        }

        await app.Door.Reached(Many);
        foreach (var client in clients)
        {
            await client.ReadSettingsAsync();
        }

        return clients;
    }
}
