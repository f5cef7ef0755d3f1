namespace Graceful.Recording;

/// <summary>How a request ended on the way out.</summary>
internal enum RequestEnd
{
    /// <summary>By itself.</summary>
    Ended,

    /// <summary>Time ran out, or the stop was forced.</summary>
    CutOff,

    /// <summary>It was cut off because its endpoint allows it.</summary>
    LetGo,
}
