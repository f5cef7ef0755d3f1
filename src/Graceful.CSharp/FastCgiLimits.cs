using System.Globalization;

namespace Graceful;

/// <summary>
/// How much a web server may ask of the FastCGI endpoints. What is not here is Kestrel's: <c>MaxConcurrentConnections</c>, <c>MaxRequestBodySize</c>, and
/// <c>MaxRequestBufferSize</c> and <c>MaxResponseBufferSize</c> for what may wait to be read or sent.
/// </summary>
public sealed class FastCgiLimits
{
    private static readonly TimeSpan MostTime = TimeSpan.FromDays(1);

    /// <summary>
    /// How long the variables of a request (its PARAMS, headers included) may be together. Between 1,024 bytes and 16 MiB; the default is 65,536 bytes. A request
    /// with more is answered with 431.
    /// </summary>
    public int MaxParamsSize { get; set; } = 1 << 16;

    /// <summary>How many variables a request may have. Between 1 and 100,000; the default is 256. A request with more is answered with 431.</summary>
    public int MaxParamsCount { get; set; } = 256;

    /// <summary>
    /// How long the variables of a request may take to come, from its beginning on. More than zero, at most a day, or <see cref="Timeout.InfiniteTimeSpan"/> for no
    /// limit; the default is 30 s. It is looked at once a second. A request that takes longer is answered with 408.
    /// </summary>
    public TimeSpan ParamsTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How long a connection may have no request, before its first one and between two, until it is closed. More than zero, at most a day, or
    /// <see cref="Timeout.InfiniteTimeSpan"/> for no limit; the default is 130 s. It is looked at once a second. Longer than the web server keeps a connection that it does not
    /// use (nginx: 60 s), so that no request meets the close.
    /// </summary>
    public TimeSpan IdleTimeout { get; set; } = TimeSpan.FromSeconds(130);

    internal IEnumerable<string> Errors()
    {
        if (MaxParamsSize is < 1024 or > 1 << 24)
        {
            yield return Text(nameof(MaxParamsSize), MaxParamsSize, "between 1024 and 16777216 bytes");
        }

        if (MaxParamsCount is < 1 or > 100_000)
        {
            yield return Text(nameof(MaxParamsCount), MaxParamsCount, "between 1 and 100000");
        }

        if (IsNoTime(ParamsTimeout))
        {
            yield return Text(nameof(ParamsTimeout), ParamsTimeout, "more than zero and at most 1.00:00:00, or Timeout.InfiniteTimeSpan");
        }

        if (IsNoTime(IdleTimeout))
        {
            yield return Text(nameof(IdleTimeout), IdleTimeout, "more than zero and at most 1.00:00:00, or Timeout.InfiniteTimeSpan");
        }
    }

    private static bool IsNoTime(TimeSpan time) => time != Timeout.InfiniteTimeSpan && (time <= TimeSpan.Zero || time > MostTime);

    private static string Text(string name, object value, string allowed) =>
        string.Create(CultureInfo.InvariantCulture, $"{nameof(GracefulOptions.FastCgi)}.{name} is {value}; allowed is {allowed}.");
}
