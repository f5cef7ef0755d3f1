using System.Net;
using System.Net.Sockets;
using Graceful.Tests.Processes;
using Graceful.Tests.Support;

namespace Graceful.Tests.FastCgi.Outside;

/// <summary>A real web server in front, as a process of its own with files of its own, which passes on by FastCGI what it is asked.</summary>
internal sealed class Front : IDisposable
{
    private readonly Child _process;

    private Front(Child process, int port)
    {
        _process = process;
        Port = port;
        Client = new HttpClient(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false }) { BaseAddress = new Uri($"http://127.0.0.1:{port}") };
    }

    public int Port { get; }

    public HttpClient Client { get; }

    /// <summary>What it wrote to its error log.</summary>
    public string Errors => _process.Output;

    /// <summary>nginx, with these sockets to pass on to.</summary>
    /// <param name="folder">For its files.</param>
    /// <param name="sockets">The applications' sockets. With two or more the next is asked when one can't be, or breaks off.</param>
    /// <param name="keep">Whether it keeps connections to them.</param>
    /// <param name="tls">Certificate and key, when it listens with TLS.</param>
    public static Task<Front> NginxAsync(string folder, string[] sockets, bool keep, (string Certificate, string Key)? tls = null) => StartAsync("nginx", folder, port => $$"""
        daemon off;
        master_process off;
        pid {{folder}}/nginx.pid;
        error_log stderr info;
        {{(Environment.IsPrivilegedProcess ? "user root;" : "")}}
        events { worker_connections 512; }
        http {
            access_log off;
            client_max_body_size 0;
            client_body_temp_path {{folder}}/body;
            fastcgi_temp_path {{folder}}/fastcgi;
            proxy_temp_path {{folder}}/proxy;
            uwsgi_temp_path {{folder}}/uwsgi;
            scgi_temp_path {{folder}}/scgi;
            upstream application {
                {{string.Concat(sockets.Select(socket => $"server unix:{socket} max_fails=0; "))}}
                {{(keep ? "keepalive 16;" : "")}}
            }
            server {
                listen 127.0.0.1:{{port}}{{(tls is null ? "" : " ssl")}};
                {{(tls is { } pair ? $"ssl_certificate {pair.Certificate}; ssl_certificate_key {pair.Key};" : "")}}
                include {{Parameters}};
                fastcgi_keep_conn {{(keep ? "on" : "off")}};
                location / { fastcgi_pass application; }
                location /repeated {
                    fastcgi_next_upstream error timeout non_idempotent;
                    fastcgi_pass application;
                }
                location /unbuffered {
                    fastcgi_request_buffering off;
                    fastcgi_buffering off;
                    fastcgi_pass application;
                }
                location /place {
                    include {{Parameters}};
                    fastcgi_split_path_info ^(/place)(/.*)$;
                    fastcgi_param PATH_INFO $fastcgi_path_info;
                    fastcgi_pass application;
                }
            }
        }
        """, configuration => ["-p", folder, "-c", configuration, "-e", "stderr"]);

    /// <summary>lighttpd, with one socket to pass on to.</summary>
    public static Task<Front> LighttpdAsync(string folder, string socket) => StartAsync("lighttpd", folder, port => $$"""
        server.bind = "127.0.0.1"
        server.port = {{port}}
        server.document-root = "{{folder}}"
        server.upload-dirs = ( "{{folder}}" )
        server.pid-file = "{{folder}}/lighttpd.pid"
        server.modules = ( "mod_fastcgi" )
        server.stream-request-body = 2
        server.stream-response-body = 2
        fastcgi.server = ( "/" => ((
            "socket" => "{{socket}}", "check-local" => "disable", "fix-root-scriptname" => "enable", "tcp-fin-propagate" => "enable"
        )) )
        """, configuration => ["-D", "-f", configuration]);

    public void Dispose()
    {
        Client.Dispose();
        _process.Dispose();
    }

    /// <summary>The variables that Debian's package of nginx suggests.</summary>
    private const string Parameters = "/etc/nginx/fastcgi_params";

    private static async Task<Front> StartAsync(string program, string folder, Func<int, string> configurationFor, Func<string, string[]> options)
    {
        while (true)
        {
            // Neither knows port 0; so a port is looked for, and if somebody else is faster, another one.
            var port = FreePort();
            var file = Path.Combine(folder, program + ".conf");
            await File.WriteAllTextAsync(file, configurationFor(port));
            var process = Child.StartProgram(PathOf(program), options(file));
            await Limits.Until(() => process.HasExited || Answers(port), $"{program} listens");
            if (!process.HasExited)
            {
                return new Front(process, port);
            }

            await process.ExitAsync();
            Assert.Contains("ddress already in use", process.Output, StringComparison.Ordinal);
            process.Dispose();
        }
    }

    private static bool Answers(int port)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Connect(IPAddress.Loopback, port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static int FreePort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    /// <summary>Servers are in sbin, which is not on everybody's path.</summary>
    private static string PathOf(string program) => File.Exists($"/usr/sbin/{program}") ? $"/usr/sbin/{program}" : program;
}
