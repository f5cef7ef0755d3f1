namespace Graceful.Recording;

/// <summary>A union of the core without data: its cases in their order, and the words that a record has for them.</summary>
internal sealed class Vocabulary<T>
    where T : notnull
{
    private readonly T[] _cases;
    private readonly string[] _words;

    public Vocabulary(params T[] cases)
    {
        _cases = cases;
        _words = [.. cases.Select(one => one.ToString()!)];
    }

    public IReadOnlyList<string> Words => _words;

    public string this[int tag] => _words[tag];

    /// <summary>The case that a word stands for.</summary>
    /// <exception cref="FormatException">There is no such word; the message lists those that there are.</exception>
    public T Find(string field, string word)
    {
        var index = Array.IndexOf(_words, word);
        return index >= 0 ? _cases[index] : throw new FormatException($"'{field}' is '{word}'; known are {string.Join(", ", _words)}");
    }
}
