using Microsoft.AspNetCore.Http;

namespace EcoLora.Hosting;

/// <summary>Refusals as one line of text: what was expected, what was found.</summary>
public static class Answers
{
    /// <summary>400.</summary>
    public static IResult Bad(string why) => Results.Text(why, statusCode: StatusCodes.Status400BadRequest);

    /// <summary>404.</summary>
    public static IResult Unknown(string why) => Results.Text(why, statusCode: StatusCodes.Status404NotFound);

    /// <summary>409.</summary>
    public static IResult Conflict(string why) => Results.Text(why, statusCode: StatusCodes.Status409Conflict);
}
