using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;

namespace Graceful.Tests;

/// <summary>
/// The public surface, locked: a change of it is a change of these lists. To accept one, run the tests with
/// GRACEFUL_ACCEPT_API=1 in the environment, which rewrites PublicApi.*.txt beside this file, and review the difference.
/// </summary>
public sealed class PublicApi
{
    [Theory]
    [InlineData("Graceful.CSharp")]
    [InlineData("Graceful.Core")]
    [InlineData("Graceful.Giraffe")]
    public async Task It_is_as_approved(string assembly)
    {
        var name = $"PublicApi.{assembly}.txt";
        var surface = string.Concat(Surface(Assembly.Load(assembly)).Select(line => line + "\n"));
        if (Environment.GetEnvironmentVariable("GRACEFUL_ACCEPT_API") == "1")
        {
            await File.WriteAllTextAsync(Path.Combine(Source(), name), surface);
            return;
        }

        // The build copies it beside the tests.
        var approved = Path.Combine(AppContext.BaseDirectory, name);
        Assert.True(File.Exists(approved), $"{approved} is missing. Run with GRACEFUL_ACCEPT_API=1 to write it, and build.");
        Assert.Equal((await File.ReadAllTextAsync(approved)).ReplaceLineEndings("\n"), surface);
    }

    [Fact]
    public void The_CSharp_face_shows_no_type_of_FSharp() =>
        Assert.DoesNotContain(Surface(Assembly.Load("Graceful.CSharp")), line => line.Contains("FSharp", StringComparison.Ordinal));

    private static IEnumerable<string> Surface(Assembly assembly) => assembly.GetExportedTypes()
        .OrderBy(type => type.FullName, StringComparer.Ordinal)
        .SelectMany(type => Members(type).Order(StringComparer.Ordinal).Prepend(Heading(type)));

    private static string Heading(Type type)
    {
        var kind = type.IsEnum ? "enum" : type.IsInterface ? "interface" : type.IsValueType ? "struct" : "class";
        var sealing = type is { IsAbstract: true, IsSealed: true } ? "static " : type.IsAbstract && !type.IsInterface ? "abstract " : "";
        return $"{sealing}{kind} {type.FullName}";
    }

    private static IEnumerable<string> Members(Type type)
    {
        const BindingFlags Own = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;
        foreach (var member in type.GetMembers(Own))
        {
            var line = member switch
            {
                ConstructorInfo c when IsSeen(c) => $"new({Parameters(c)})",
                MethodInfo { IsSpecialName: false } m when IsSeen(m) && !IsWrittenByTheCompiler(m) =>
                    $"{Static(m)}{Name(m.ReturnType)} {m.Name}{Generic(m)}({Parameters(m)})",
                MethodInfo { IsSpecialName: true } m when IsSeen(m) && m.Name.StartsWith("op_", StringComparison.Ordinal) && !IsWrittenByTheCompiler(m) =>
                    $"static {Name(m.ReturnType)} {m.Name}({Parameters(m)})",
                PropertyInfo p when p.GetAccessors(nonPublic: true).Any(IsSeen) && p.Name != "EqualityContract" =>
                    $"{Static(p.GetAccessors(true)[0])}{Name(p.PropertyType)} {p.Name} {{ {string.Join(' ', Accessors(p))} }}",
                FieldInfo { IsSpecialName: false } f when f.IsPublic || f.IsFamily =>
                    f.IsLiteral ? $"const {Name(f.FieldType)} {f.Name} = {f.GetRawConstantValue()}" : $"{Name(f.FieldType)} {f.Name}",
                EventInfo e => $"event {Name(e.EventHandlerType!)} {e.Name}",
                _ => null,
            };
            if (line is not null)
            {
                yield return $"  {line}";
            }
        }
    }

    private static IEnumerable<string> Accessors(PropertyInfo property)
    {
        if (property.GetMethod is { } get && IsSeen(get))
        {
            yield return "get;";
        }

        if (property.SetMethod is { } set && IsSeen(set))
        {
            var isInit = set.ReturnParameter.GetRequiredCustomModifiers().Contains(typeof(IsExternalInit));
            yield return isInit ? "init;" : "set;";
        }
    }

    private static bool IsSeen(MethodBase method) => method.IsPublic || method.IsFamily || method.IsFamilyOrAssembly;

    // What every record and every union has.
    private static bool IsWrittenByTheCompiler(MethodInfo method) =>
        method.IsDefined(typeof(CompilerGeneratedAttribute)) || method.Name is "Equals" or "GetHashCode" or "CompareTo" or "PrintMembers" or "<Clone>$";

    private static string Static(MethodBase method) => method.IsStatic ? "static " : "";

    private static string Generic(MethodInfo method) =>
        method.IsGenericMethod ? $"<{string.Join(", ", method.GetGenericArguments().Select(Name))}>" : "";

    private static string Parameters(MethodBase method) => string.Join(", ", method.GetParameters().Select(parameter =>
        $"{Name(parameter.ParameterType)} {parameter.Name}{(parameter.HasDefaultValue ? $" = {parameter.RawDefaultValue ?? "default"}" : "")}"));

    private static string Name(Type type)
    {
        if (type.IsByRef)
        {
            return $"ref {Name(type.GetElementType()!)}";
        }

        if (!type.IsGenericType)
        {
            return type.Name;
        }

        var name = new StringBuilder(type.Name.Split('`')[0]);
        return name.Append('<').AppendJoin(", ", type.GetGenericArguments().Select(Name)).Append('>').ToString();
    }

    /// <summary>The compiler is told no paths, so that builds are the same everywhere: look for the solution above us.</summary>
    private static string Source()
    {
        var root = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(root.FullName, "Graceful.slnx")))
        {
            root = root.Parent ?? throw new DirectoryNotFoundException($"There is no Graceful.slnx above {AppContext.BaseDirectory}.");
        }

        return Path.Combine(root.FullName, "tests", "Graceful.CSharp.Tests");
    }
}
