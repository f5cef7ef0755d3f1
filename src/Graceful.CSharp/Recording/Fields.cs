using System.Globalization;
using System.Text.Json;
using Graceful.Core;
using Microsoft.FSharp.Core;

namespace Graceful.Recording;

/// <summary>The fields of a line, read with errors that name them.</summary>
internal readonly struct Fields(JsonElement line)
{
    public static JsonDocument Parse(string line)
    {
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(line);
        }
        catch (JsonException e)
        {
            throw new FormatException("it is not JSON: " + e.Message.Split(" LineNumber")[0], e);
        }

        if (document.RootElement.ValueKind == JsonValueKind.Object)
        {
            return document;
        }

        document.Dispose();
        throw new FormatException("it is not a JSON object");
    }

    public bool Has(string name) => line.TryGetProperty(name, out _);

    public string Text(string name) => TextOrNull(name) ?? throw Wrong(name, "a text");

    public string? TextOrNull(string name) => !line.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null
        ? null
        : value.ValueKind == JsonValueKind.String ? value.GetString() : throw Wrong(name, "a text");

    public int Int(string name) =>
        Find(name, JsonValueKind.Number).TryGetInt32(out var number) && number >= 0 ? number : throw Wrong(name, "a small whole number");

    public ulong Word(string name) =>
        Find(name, JsonValueKind.Number).TryGetUInt64(out var word) ? word : throw Wrong(name, "a whole number");

    public TimeSpan Span(string name) => SpanOrNull(name) ?? throw Wrong(name, "a duration like 00:00:01.5");

    public FSharpValueOption<TimeSpan> SpanOption(string name) =>
        SpanOrNull(name) is { } span ? FSharpValueOption<TimeSpan>.Some(span) : FSharpValueOption<TimeSpan>.None;

    public Instant Instant(string name) => Core.Instant.NewInstant(Span(name).Ticks);

    public IReadOnlyList<string> Texts(string name) =>
        [.. Find(name, JsonValueKind.Array).EnumerateArray().Select(item =>
            item.ValueKind == JsonValueKind.String ? item.GetString()! : throw Wrong(name, "a list of texts"))];

    public Fields Object(string name) => new(Find(name, JsonValueKind.Object));

    public IReadOnlyList<Fields> Objects(string name) =>
        [.. Find(name, JsonValueKind.Array).EnumerateArray().Select(item =>
            item.ValueKind == JsonValueKind.Object ? new Fields(item) : throw new FormatException($"'{name}' must be a list of objects"))];

    public T Case<T>(string name, Vocabulary<T> vocabulary)
        where T : notnull => vocabulary.Find(name, Text(name));

    public static FormatException Wrong(string name, string wanted) => new($"'{name}' must be {wanted}");

    private TimeSpan? SpanOrNull(string name) => TextOrNull(name) is not { } text
        ? null
        : TimeSpan.TryParseExact(text, "c", CultureInfo.InvariantCulture, out var span) ? span : throw Wrong(name, "a duration like 00:00:01.5");

    private JsonElement Find(string name, JsonValueKind kind) => line.TryGetProperty(name, out var value) && value.ValueKind == kind
        ? value
        : throw new FormatException($"'{name}' is missing or not {(kind == JsonValueKind.Array ? "a list" : kind == JsonValueKind.Object ? "an object" : "a number")}");
}
