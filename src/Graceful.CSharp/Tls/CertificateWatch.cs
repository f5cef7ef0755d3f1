using System.Security.Cryptography;
using Graceful.Core;
using Graceful.Reporting;
using Microsoft.Extensions.Logging;

namespace Graceful.Tls;

/// <summary>
/// Looks at the files of a certificate from time to time. Their bytes are compared, not their times: so it makes no difference how they are
/// replaced, on which file system, and how many links lead to them.
/// </summary>
internal sealed class CertificateWatch : IDisposable
{
    public static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(100);
    public static readonly TimeSpan Longest = TimeSpan.FromDays(1);

    private readonly ServerCertificate _certificate;
    private readonly CertificateSource _source;
    private readonly TimeSpan _interval;
    private readonly ILogger _log;
    private readonly ITimer _timer;
    private CertificateFiles _files = CertificateFiles.Settled;
    private Found _last;
    private volatile bool _isOver;

    public CertificateWatch(ServerCertificate certificate, CertificateSource source, TimeSpan interval, ILogger log, TimeProvider time)
    {
        _certificate = certificate;
        _source = source;
        _interval = interval;
        _log = log;
        _last = Find();
        if (_last.Certificate is not { } found || !found.IsSame(certificate.Current))
        {
            // They have changed since they were read.
            _files = CertificateFiles.Fresh;
        }

        _timer = time.CreateTimer(_ => Look(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        Wait(interval);
    }

    /// <summary>What is wrong with its time, in words.</summary>
    public static string WhyNot(CertificateFault fault, LoadedCertificate certificate) => fault.IsExpired
        ? FormattableString.Invariant($"it has expired, its time ended at {certificate.NotAfter.UtcDateTime:u}.")
        : FormattableString.Invariant($"its time has not come, it begins at {certificate.NotBefore.UtcDateTime:u}.");

    public void Dispose()
    {
        _isOver = true;
        _timer.Dispose();
    }

    private void Look()
    {
        var again = _interval;
        try
        {
            if (!_isOver && LookNow().IsLookAgain && CertificateFilesModule.settleTime < again)
            {
                again = CertificateFilesModule.settleTime;
            }
        }
#pragma warning disable CA1031 // A look that fails must not be the last.
        catch (Exception e)
#pragma warning restore CA1031
        {
            Say(() => Log.CertificateWatchFailed(_log, e));
        }
        finally
        {
            Wait(again);
        }
    }

    private CertificateVerdict LookNow()
    {
        var (found, before) = (Find(), _last);
        var isAsBefore = found.IsSame(before);

        // What was made of the same bytes is still good, and what it was refused for.
        _last = isAsBefore ? before : found;
        var certificate = _last.Certificate;
        var look = new CertificateLook(
            isAsBefore,
            isInUse: certificate?.IsSame(_certificate.Current) ?? false,
            isUsable: certificate is not null,
            certificate?.NotBefore ?? default,
            certificate?.NotAfter ?? default);
        (_files, var verdict) = CertificateFilesModule.step(DateTimeOffset.UtcNow, look, _files);
        if (verdict.IsTake)
        {
            _certificate.Use(certificate!);
        }
        else if (verdict.IsRefuse)
        {
            var why = certificate is null ? _last.Failure! : $"{_source} can't be used: {WhyNot(verdict.Item, certificate)}";
            Say(() => Log.CertificateRefused(_log, why, _certificate.Current.ToString()));
        }

        return verdict;
    }

    private static void Say(Action entry)
    {
        try
        {
            entry();
        }
#pragma warning disable CA1031 // There is nobody to tell that the log is broken, and the process must not end for it.
        catch (Exception)
#pragma warning restore CA1031
        {
        }
    }

    private Found Find()
    {
        IReadOnlyList<byte[]> files;
        try
        {
            files = _source.Read();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new Found([], null, e.Message);
        }

        // Most looks find what they found before, and need not go through it.
        if (_last.Files is { Count: > 0 } && _last.HasFiles(files))
        {
            return _last;
        }

        try
        {
            return new Found(files, _source.Load(files), null);
        }
        catch (CryptographicException e)
        {
            return new Found(files, null, e.Message);
        }
    }

    private void Wait(TimeSpan time)
    {
        try
        {
            if (!_isOver)
            {
                _timer.Change(time, Timeout.InfiniteTimeSpan);
            }
        }
        catch (ObjectDisposedException)
        {
            // Over at this moment.
        }
    }

    /// <summary>What the files held, and what came of it: a certificate, or why there is none.</summary>
    private readonly record struct Found(IReadOnlyList<byte[]> Files, LoadedCertificate? Certificate, string? Failure)
    {
        public bool IsSame(Found other) => HasFiles(other.Files) && Failure == other.Failure;

        public bool HasFiles(IReadOnlyList<byte[]> files) =>
            Files.Count == files.Count && Files.Zip(files).All(static pair => pair.First.AsSpan().SequenceEqual(pair.Second));
    }
}
