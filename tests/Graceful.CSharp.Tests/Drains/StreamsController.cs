using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;

namespace Graceful.Tests.Drains;

[ApiController]
[Route("streams")]
[Drain(DrainMode.ToldOnly)]
public sealed class StreamsController : ControllerBase
{
    [HttpGet]
    public async Task Get()
    {
        await Response.WriteAsync("first,");
        await Response.Body.FlushAsync();
        await Task.Delay(Timeout.Infinite, HttpContext.RequestAborted);
    }

    [HttpGet("short")]
    [Drain(seconds: 3)]
    public OkObjectResult GetShort() => Ok("ok");
}
