using Microsoft.AspNetCore.Mvc;

namespace Graceful.Tests.Reach;

[ApiController]
[Route("greeting")]
public sealed class GreetingController : ControllerBase
{
    [HttpGet]
    public OkObjectResult Get() => Ok("hello");
}
