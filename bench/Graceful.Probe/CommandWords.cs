using System.Text;

namespace Graceful.Probe;

// A command line split into words without a shell: blanks separate, 'single quotes' keep everything, "double quotes" keep
// everything but \" and \\, a backslash outside of quotes keeps the character behind it.
internal static class CommandWords
{
    public static bool TrySplit(string text, out List<string> words, out string error)
    {
        words = [];
        error = "";
        var word = new StringBuilder();
        bool inWord = false;
        char quote = '\0';
        for (int i = 0; i < text.Length; i++)
        {
            char c = text[i];
            bool escapes = c == '\\' && i + 1 < text.Length
                && (quote == '\0' || (quote == '"' && text[i + 1] is '"' or '\\'));
            if (escapes)
            {
                word.Append(text[++i]);
                inWord = true;
            }
            else if (quote != '\0')
            {
                if (c == quote)
                {
                    quote = '\0';
                }
                else
                {
                    word.Append(c);
                }
            }
            else if (c is '"' or '\'')
            {
                quote = c;
                inWord = true;
            }
            else if (char.IsWhiteSpace(c))
            {
                if (inWord)
                {
                    words.Add(word.ToString());
                    word.Clear();
                    inWord = false;
                }
            }
            else
            {
                word.Append(c);
                inWord = true;
            }
        }
        if (quote != '\0')
        {
            error = $"a {quote} is never closed";
            return false;
        }
        if (inWord)
        {
            words.Add(word.ToString());
        }
        if (words.Count == 0)
        {
            error = "it has no words";
            return false;
        }
        return true;
    }
}
