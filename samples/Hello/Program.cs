// The smallest graceful server. Load it, press Ctrl+C, and nobody who asked goes without an answer.
//   --port P    where to listen on 127.0.0.1 (default 5000)
//   --plain     the same app without Graceful, to compare
//   --tls       HTTPS with a certificate made for this run
//   --everything  hooks, work that is not a request, health checks, metrics that are read
//   any Graceful option: --GracePeriod 00:00:01, --LameDuck 00:00:00.5, --SettleTime 0, --Intake LastCall ...
//   --IdleLimit 00:00:10  leaves when nobody asked for anything in ten seconds
using System.Net;
using Hello;

var builder = WebApplication.CreateSlimBuilder(args.Where(arg => arg is not ("--plain" or "--tls" or "--everything")).ToArray());
builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning);
builder.WebHost.UseKestrelHttpsConfiguration();
builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, builder.Configuration.GetValue("port", 5000), endpoint =>
{
    if (args.Contains("--tls"))
    {
        endpoint.UseHttps(Certificate.ForThisRun());
    }
}));

if (!args.Contains("--plain"))
{
    builder.AddGraceful(options => builder.Configuration.Bind(options));
}

if (args.Contains("--everything"))
{
    builder.Services.AddGraceful(Everything.AddTo);
    Everything.AddTo(builder);
}

var app = builder.Build();
if (args.Contains("--everything"))
{
    Everything.AddTo(app);
}

app.MapGet("/", () => "ok");
app.MapGet("/slow", async (int ms, CancellationToken aborted) =>
{
    await Task.Delay(ms, aborted);
    return "ok, at last";
});
app.Run();
