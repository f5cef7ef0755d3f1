using System.Diagnostics;
using Graceful.Tests.Support;

namespace Graceful.Tests.FastCgi.Outside;

/// <summary>The real cgi-fcgi, which is a CGI program to whoever starts it and a client of ours.</summary>
public sealed class CgiFcgi
{
    [Fact]
    public async Task It_gets_what_a_CGI_program_prints()
    {
        await using var served = await Served.StartAsync();
        var (status, answer) = await RunAsync(served.Socket, "", ("REQUEST_METHOD", "GET"), ("REQUEST_URI", "/x?y"), ("QUERY_STRING", "y"), ("HTTP_HOST", "here"));
        Assert.Equal(0, status);
        Assert.EndsWith("\r\n\r\nGET http here [][/x][?y]  ", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_it_is_given_to_read_is_the_body()
    {
        await using var served = await Served.StartAsync();
        var (status, answer) = await RunAsync(
            served.Socket, "hello", ("REQUEST_METHOD", "POST"), ("REQUEST_URI", "/echo"), ("CONTENT_LENGTH", "5"), ("CONTENT_TYPE", "text/plain"));
        Assert.Equal(0, status);
        Assert.EndsWith("\r\n\r\nhello", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_failure_is_its_exit_status_and_on_its_standard_error()
    {
        await using var served = await Served.StartAsync();
        var (status, answer) = await RunAsync(served.Socket, "", ("REQUEST_METHOD", "GET"), ("REQUEST_URI", "/throw"));
        Assert.Equal(1, status);
        Assert.Contains("Status: 500", answer, StringComparison.Ordinal);
        Assert.Contains("InvalidOperationException: as planned", answer, StringComparison.Ordinal);
    }

    private static async Task<(int Status, string Answer)> RunAsync(string socket, string body, params (string Name, string Value)[] variables)
    {
        var start = new ProcessStartInfo("cgi-fcgi", ["-bind", "-connect", socket])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment.Clear();
        start.Environment["PATH"] = Environment.GetEnvironmentVariable("PATH");
        foreach (var (name, value) in variables)
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        try
        {
            await process.StandardInput.WriteAsync(body);
            process.StandardInput.Close();
            var answer = await process.StandardOutput.ReadToEndAsync().Soon("What cgi-fcgi prints");
            var errors = await process.StandardError.ReadToEndAsync().Soon("What cgi-fcgi prints");
            await process.WaitForExitAsync().Soon("The exit of cgi-fcgi");
            return (process.ExitCode, answer + errors);
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill();
            }
        }
    }
}
