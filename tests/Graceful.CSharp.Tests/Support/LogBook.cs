using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Graceful.Tests.Support;

/// <summary>One entry of a log.</summary>
internal sealed record LogEntry(string Category, LogLevel Level, EventId Id, string Text, Exception? Error);

/// <summary>Keeps what was logged.</summary>
internal sealed class LogBook : ILoggerProvider
{
    private readonly ConcurrentQueue<LogEntry> _entries = new();

    public IReadOnlyList<LogEntry> Entries => [.. _entries];

    public IEnumerable<LogEntry> OfGraceful => Entries.Where(entry => entry.Category.StartsWith("Graceful", StringComparison.Ordinal));

    public bool Has(string text) => _entries.Any(entry => entry.Text.Contains(text, StringComparison.Ordinal));

    public Task Until(string text) => Limits.Until(() => Has(text), $"the log says '{text}'");

    public ILogger CreateLogger(string categoryName) => new Logger(this, categoryName);

    public void Dispose()
    {
    }

    private sealed class Logger(LogBook book, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            book._entries.Enqueue(new LogEntry(category, logLevel, eventId, formatter(state, exception), exception));
    }
}
