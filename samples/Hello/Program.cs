// The smallest graceful server. Load it, press Ctrl+C, and nobody who asked goes without an answer.
//   --port P    where to listen on 127.0.0.1 (default 5000)
//   --unix PATH  on a Unix socket in its place
//   --protocols P  Http1, Http2 or Http1AndHttp2
//   --fastcgi   FastCGI in the place of HTTP, for a web server in front
//   --plain     the same app without Graceful, to compare
//   --tls       HTTPS with a certificate made for this run
//   answers / and /slow?ms=N
//   --everything  hooks, work that is not a request, health checks, metrics that are read
//   any Graceful option: --GracePeriod 00:00:01, --LameDuck 00:00:00.5, --SettleTime 0, --Intake LastCall ...
//   --IdleLimit 00:00:10  leaves when nobody asked for anything in ten seconds
using Hello;

var builder = WebApplication.CreateSlimBuilder(args.Where(arg => arg is not ("--plain" or "--tls" or "--fastcgi" or "--everything")).ToArray());
builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning);
builder.WebHost.UseKestrelHttpsConfiguration();
builder.WebHost.ConfigureKestrel(kestrel => Listening.AddTo(kestrel, args, builder.Configuration));

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
