using System.Net;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Hello;

internal static class Listening
{
    /// <summary>Where it listens and what is spoken there, as the command line says.</summary>
    public static void AddTo(KestrelServerOptions kestrel, string[] args, IConfiguration configuration)
    {
        if (configuration["unix"] is { } path)
        {
            kestrel.ListenUnixSocket(path, Speak);
        }
        else
        {
            kestrel.Listen(IPAddress.Loopback, configuration.GetValue("port", 5000), Speak);
        }

        void Speak(ListenOptions endpoint)
        {
            if (configuration["protocols"] is not null)
            {
                endpoint.Protocols = configuration.GetValue<HttpProtocols>("protocols");
            }

            if (args.Contains("--tls"))
            {
                endpoint.UseHttps(Certificate.ForThisRun());
            }

            if (args.Contains("--fastcgi"))
            {
                endpoint.UseFastCgi();
            }
        }
    }
}
