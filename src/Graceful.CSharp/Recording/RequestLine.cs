using System.Text.Json;
using Graceful.Core;
using Microsoft.AspNetCore.Http;

namespace Graceful.Recording;

/// <summary>A request that ended on the way out or was cut off: who held it up, and nothing a client chose.</summary>
/// <param name="At">When it happened.</param>
/// <param name="Connection">Its connection's number in this record; 0 when that has none yet.</param>
/// <param name="Method">Its method, or <c>other</c> for one that HTTP does not define.</param>
/// <param name="Route">The pattern of its route, when it had one.</param>
/// <param name="Age">How long it had been in flight.</param>
/// <param name="End">How it ended.</param>
internal sealed record RequestLine(Instant At, int Connection, string Method, string? Route, TimeSpan Age, RequestEnd End) : RecordLine(At)
{
    private static readonly string[] Methods =
    [
        HttpMethods.Get, HttpMethods.Head, HttpMethods.Post, HttpMethods.Put, HttpMethods.Delete, HttpMethods.Connect,
        HttpMethods.Options, HttpMethods.Trace, HttpMethods.Patch,
    ];

    /// <summary>What the record calls each end, in the order of <see cref="RequestEnd"/>.</summary>
    private static readonly string[] Ends = ["ended", "cut off", "let go"];

    public string EndText => Ends[(int)End];

    /// <summary>A method is a client's text, so only those that everybody knows are written down.</summary>
    public static string Known(string method) => Array.Find(Methods, known => HttpMethods.Equals(known, method)) ?? "other";

    public static RequestLine Read(in Fields fields) => new(
        fields.Instant("at"),
        fields.Int("number"),
        fields.Text("method"),
        fields.TextOrNull("route"),
        fields.Span("age"),
        EndOf(fields.Text("request")));

    private static RequestEnd EndOf(string text) => Array.IndexOf(Ends, text) is var end and >= 0
        ? (RequestEnd)end
        : throw new FormatException($"'request' is '{text}'; known are {string.Join(", ", Ends)}");

    protected override void WriteFields(Utf8JsonWriter json)
    {
        json.WriteString("request", EndText);
        json.WriteNumber("number", Connection);
        json.WriteString("method", Method);
        json.WriteString("route", Route);
        json.WriteString("age", CoreText.Of(Age));
    }
}
