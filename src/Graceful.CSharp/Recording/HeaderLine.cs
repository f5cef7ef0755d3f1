using System.Globalization;
using System.Reflection;
using System.Text.Json;
using Graceful.Core;

namespace Graceful.Recording;

/// <summary>A record's first line: what the steps that follow depend on.</summary>
/// <param name="Version">Which Graceful wrote it.</param>
/// <param name="Started">When the engine was made, by the calendar.</param>
/// <param name="At">The same on the engine's clock.</param>
/// <param name="Policy">What the user decided.</param>
/// <param name="State">The first state, in words.</param>
internal sealed record HeaderLine(string Version, DateTimeOffset Started, Instant At, Policy Policy, string State)
{
    /// <summary>Raised with every change after which older readers would go wrong.</summary>
    public const int Format = 2;

    public static HeaderLine Of(DateTimeOffset started, Instant at, Policy policy, Lifecycle state) => new(
        typeof(HeaderLine).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "?",
        started,
        at,
        policy,
        CoreText.Of(state));

    /// <exception cref="FormatException">It is no header that can be read here; the message says why.</exception>
    public static HeaderLine Parse(string line)
    {
        using var document = Fields.Parse(line);
        var fields = new Fields(document.RootElement);
        if (!fields.Has("graceful"))
        {
            throw new FormatException("it is not the first line of a record: 'graceful', the format's number, is missing");
        }

        if (fields.Int("graceful") is var format and not Format)
        {
            throw new FormatException($"the record has format {format}, and this program reads format {Format}");
        }

        var policy = fields.Object("policy");
        var hooks = policy.Objects("hooks").Select(HookLine.ReadHook).ToArray();
        return new HeaderLine(
            fields.Text("version"),
            DateTimeOffset.TryParse(fields.Text("started"), CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind, out var started)
                ? started
                : throw Fields.Wrong("started", "a date and time"),
            fields.Instant("at"),
            new Policy(
                policy.Span("lameDuck"), policy.Span("quietPeriod"), policy.SpanOption("gracePeriod"), policy.Span("doubleKick"),
                policy.SpanOption("idleLimit"), policy.Span("successorLimit"), hooks),
            fields.Text("state"));
    }

    public void WriteTo(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteNumber("graceful", Format);
        json.WriteString("version", Version);
        json.WriteString("started", Started);
        json.WriteString("at", CoreText.Of(At));
        json.WriteString("state", State);
        json.WriteStartObject("policy");
        json.WriteString("lameDuck", CoreText.Of(Policy.LameDuck));
        json.WriteString("quietPeriod", CoreText.Of(Policy.QuietPeriod));
        json.WriteString("gracePeriod", Policy.GracePeriod.IsSome ? CoreText.Of(Policy.GracePeriod.Value) : null);
        json.WriteString("doubleKick", CoreText.Of(Policy.DoubleKick));
        json.WriteString("idleLimit", Policy.IdleLimit.IsSome ? CoreText.Of(Policy.IdleLimit.Value) : null);
        json.WriteString("successorLimit", CoreText.Of(Policy.SuccessorLimit));
        json.WriteStartArray("hooks");
        foreach (var hook in Policy.Hooks)
        {
            HookLine.WriteHook(hook, json);
        }

        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteEndObject();
    }
}
