using Microsoft.Extensions.Options;

namespace Graceful;

/// <summary>Refuses options that make no sense, all of them in one error.</summary>
internal sealed class GracefulOptionsValidator : IValidateOptions<GracefulOptions>
{
    public ValidateOptionsResult Validate(string? name, GracefulOptions options)
    {
        var errors = options.Errors().ToList();
        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);
    }
}
