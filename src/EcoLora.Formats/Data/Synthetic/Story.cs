using System.Text;
using static EcoLora.Formats.Data.Synthetic.Lexicon;

namespace EcoLora.Formats.Data.Synthetic;

/// <summary>One made-up story of one or two scenes with the same three people, all in present or all in past tense.</summary>
internal sealed class Story
{
    private readonly Draw _draw;
    private readonly int _tense;
    private readonly Person[] _people;
    private readonly StringBuilder _text = new();

    public Story(Draw draw)
    {
        _draw = draw;
        _tense = draw.Chance(0.5) ? 0 : 1;
        _people = draw.Some<Person>(4, People);
        Action[] scenes = draw.Some<Action>(draw.Between(1, 2),
        [
            Listing, Listing, Listing, Listing, Listing, Speaking, Speaking, Speaking, Owners, Owners, Hiding, Hiding,
            Painting, Painting, Packing, Packing, Feeling, Feeling, Diary, Diary,
            Animal, Kitchen, Workshop, Dressing, Travel,
        ]);
        foreach (Action scene in scenes)
        {
            if (_text.Length > 0) _text.Append('\n');
            if (draw.Chance(0.4)) Say(Opening());
            scene();
        }
    }

    public string Text => _text.ToString();

    private void Say(string sentence)
    {
        if (_text.Length > 0 && _text[^1] != '\n') _text.Append(_draw.Chance(0.15) ? '\n' : ' ');
        for (int i = 0; i < sentence.Length; i++)
        {
            if (sentence[i] != '[')
            {
                _text.Append(sentence[i]);
                continue;
            }
            int close = sentence.IndexOf(']', i);
            _text.Append(sentence[(i + 1)..close].Split('|')[_tense]);
            i = close;
        }
    }

    private static string Together(string[] words) => $"{string.Join(", ", words[..^1])} and {words[^1]}";

    /// <summary>A sentence of no consequence, with the words that questions start with in other uses.</summary>
    private string Opening() => _draw.One(
        "It [is|was] a nice day.",
        "It [is|was] late.",
        "The sun [is|was] out.",
        $"What a nice day it [is|was].",
        $"What a long day, [says|said] {_people[0]}.",
        $"Who [knows|knew] {_people[0]} [knows|knew] {_people[1]}.",
        $"Who [plays|played] with {_people[0]} [is|was] never sad.",
        $"Where {_people[0]} [lives|lived], {_people[1]} [lives|lived] too.",
        $"Where the sun [is|was], {_people[0]} [feels|felt] good.",
        $"When {_people[0]} [comes|came], {_people[1]} [comes|came] too.",
        $"When it [rains|rained], {_people[0]} [feels|felt] good.",
        $"How good the day [is|was] for {_people[0]}.",
        $"How nice it [is|was], [says|said] {_people[0]}.",
        $"Does it matter, [says|said] {_people[0]}.",
        $"Does it rain, [says|said] {_people[0]}.",
        $"The color of the day [is|was] nice.",
        $"All these days {_people[0]} [does|did] feel good.",
        $"These are good days for {_people[0]} and {_people[1]}.",
        $"A day [comes|came] after a day.",
        $"{_people[0]} and {_people[1]} [have|had] to leave the next day.",
        $"{_people[0]} and {_people[1]} [say|said] good day.");

    /// <summary>Who has what.</summary>
    private void Owners()
    {
        int count = _draw.Between(2, 3);
        string[] things = _draw.Some<string>(count, Objects);
        for (int i = 0; i < count; i++) Say($"{_people[i]} [has|had] the {things[i]}.");
        for (int recall = _draw.Between(2, 3); recall > 0; recall--)
        {
            int i = _draw.Between(0, count - 1);
            Person owner = _people[i], other = _draw.Chance(0.5) ? _people[3] : _people[(i + 1) % count];
            Say(_draw.One(
                $"{other} [looks|looked] for the {things[i]}: {owner} [has|had] it.",
                $"The {things[i]} [belongs|belonged] to {owner}.",
                $"{other} [asks|asked] for the {things[i]}, and {owner} [gives|gave] it to {other.Him}.",
                $"It [is|was] the {things[i]} of {owner}.",
                $"{owner} [likes|liked] the {things[i]} very much.",
                $"{other} [wants|wanted] to play with the {things[i]}, so {other.He} [goes|went] to {owner}."));
        }
    }

    /// <summary>What is where.</summary>
    private void Hiding()
    {
        int count = _draw.Between(2, 3);
        string[] things = _draw.Some<string>(count, [.. Objects, .. Animals]);
        string[] places = _draw.Some<string>(count, Places);
        for (int i = 0; i < count; i++) Say($"The {things[i]} [is|was] in the {places[i]}.");
        for (int recall = _draw.Between(2, 3); recall > 0; recall--)
        {
            int i = _draw.Between(0, count - 1);
            Person person = _draw.One(_people);
            Say(_draw.One(
                $"{person} [looks|looked] for the {things[i]}: it [is|was] in the {places[i]}.",
                $"{person} [goes|went] to the {places[i]} and [finds|found] the {things[i]}.",
                $"{person} [wants|wanted] to see the {things[i]}, so {person.He} [goes|went] to the {places[i]}.",
                $"{person} [sees|saw] the {things[i]} in the {places[i]}."));
        }
    }

    /// <summary>What has which colour.</summary>
    private void Painting()
    {
        int count = _draw.Between(2, 3);
        string[] things = _draw.Some<string>(count, [.. Objects, .. Clothes]);
        string[] colors = _draw.Some<string>(count, Colors);
        for (int i = 0; i < count; i++) Say($"{_people[i]} [has|had] a {colors[i]} {things[i]}.");
        for (int recall = _draw.Between(2, 3); recall > 0; recall--)
        {
            int i = _draw.Between(0, count - 1);
            Say(_draw.One(
                $"The {things[i]} [is|was] {colors[i]}.",
                $"{_people[3]} [paints|painted] the {things[i]}: it [is|was] {colors[i]}.",
                $"{_people[3]} [likes|liked] the {things[i]} because it [is|was] {colors[i]}.",
                $"The {colors[i]} {things[i]} [belongs|belonged] to {_people[i]}."));
        }
    }

    /// <summary>A list that is read again, whole or in part. Nothing teaches a small model to copy as fast as lists without any order.</summary>
    private void Listing()
    {
        string[] things = _draw.Some<string>(_draw.Between(4, 8), [.. Objects, .. Tools, .. Clothes, .. Animals, .. Foods, .. Places, .. Colors]);
        string whole = string.Join(' ', things);
        Say(_draw.One($"A list: {whole}.", $"{_people[0]} [makes|made] a list: {whole}.", $"{_people[0]} [reads|read]: {whole}."));
        if (_draw.Chance(0.8)) Say(_draw.One($"{_people[1]} [reads|read] it: {whole}.", $"A list: {whole}.", $"{_people[1]} [says|said] it again: {whole}."));
        for (int recall = _draw.Between(0, 2); recall > 0; recall--)
        {
            int start = _draw.Between(0, things.Length - 2);
            Say(_draw.One(
                $"{_people[1]} [takes|took] the {things[start]}, then the {things[start + 1]}.",
                $"{_people[1]} [starts|started] after {things[start]}: {string.Join(' ', things[(start + 1)..])}.",
                $"After {things[start]} [is|was] {things[start + 1]}."));
        }
    }

    /// <summary>Words that are said again.</summary>
    private void Speaking()
    {
        string[] words = [Phrase(), Phrase()];
        for (int i = 0; i < 2; i++) Say($"{_people[i]} [says|said]: {words[i]}.");
        for (int recall = _draw.Between(1, 3); recall > 0; recall--)
        {
            int told = _draw.Between(0, 1);
            Say(_draw.One(
                $"{_people[2]} [likes|liked] the words of {_people[told]}: {words[told]}.",
                $"{_people[told]} [says|said] it again: {words[told]}.",
                $"{_people[told]} [says|said]: {words[told]}.",
                $"{_people[2]} [tells|told] it like {_people[told]}: {words[told]}."));
        }
    }

    private string Phrase() => $"the {_draw.One(Sizes)} {_draw.One(Colors)} {_draw.One<string>([.. Objects, .. Animals, .. Clothes])}";

    /// <summary>What is in a bag, and what is not.</summary>
    private void Packing()
    {
        string[] things = _draw.Some<string>(5, Objects);
        Say($"{_people[0]} [has|had] a {things[0]}, a {things[1]} and a {things[2]}.");
        for (int recall = _draw.Between(1, 3); recall > 0; recall--)
        {
            bool has = _draw.Chance(0.5);
            string thing = has ? things[_draw.Between(0, 2)] : things[_draw.Between(3, 4)];
            Person other = _people[_draw.Between(1, 3)];
            Say($"{other} [wants|wanted] a {thing}{_draw.One(",", ":", " and")} " + (has
                ? _draw.One($"{_people[0]} [has|had] one.", $"yes, {_people[0]} [has|had] it.", $"yes, it [is|was] there.")
                : _draw.One($"{_people[0]} [has|had] none.", $"no, {_people[0]} [has|had] no {thing}.", $"no, it [is|was] not there.")));
        }
    }

    /// <summary>What happens to people, and what they do then.</summary>
    private void Feeling()
    {
        for (int i = 0, count = _draw.Between(1, 2); i < count; i++)
        {
            Person person = _people[i], other = _people[i + 1];
            (string mood, string[] events) = _draw.One(Moods.All);
            string reaction = mood switch
            {
                "happy" => _draw.One("[smiles|smiled]", "[laughs|laughed]", "[dances|danced]"),
                "sad" => _draw.One("[cries|cried]", "[goes|went] to bed", "[weeps|wept]"),
                "angry" => _draw.One("[shouts|shouted]", "[stamps|stamped]", "[turns|turned] red"),
                _ => _draw.One("[shakes|shook]", "[hides|hid]", "[screams|screamed]"),
            };
            if (_draw.Chance(0.75)) Say($"{person} {Moods.Fill(_draw.One(events), person, other, _draw, _tense)}. {Capital(person.He)} {reaction}.");
            else Say($"{person} [feels|felt] {mood}. {Capital(person.He)} {reaction}.");
        }
    }

    /// <summary>Days in their order.</summary>
    private void Diary()
    {
        int day = _draw.Between(0, 6);
        for (int i = 0, count = _draw.Between(2, 4); i < count; i++)
            Say($"On {Days[(day + i) % 7]} {_people[0]} " + _draw.One(
                $"[goes|went] to the {_draw.One(Places)}.",
                $"[plays|played] with {_people[1]}.",
                "[reads|read] a book.",
                $"[comes|came] to the {_draw.One(Places)}.",
                $"[leaves|left] the {_draw.One(Places)}.",
                "[sleeps|slept] all day."));
    }

    private void Animal()
    {
        string[] words = _draw.Some<string>(3, Animals);
        Say($"{_people[0]} [likes|liked] animals.");
        Say(_draw.One(
            $"{Capital(_people[0].He)} [feeds|fed] the {words[0]}, the {words[1]} and the {words[2]}.",
            $"The {words[0]} [runs|ran] after the {words[1]}.",
            $"The {words[0]}, the {words[1]} and the {words[2]} [sleep|slept]."));
    }

    private void Kitchen()
    {
        string[] words = _draw.Some<string>(3, Foods);
        Say(_draw.One($"{_people[0]} [is|was] hungry.", $"{_people[0]} [wants|wanted] some food."));
        Say(_draw.One(
            $"{Capital(_people[0].He)} [eats|ate] {words[0]}, {words[1]} and {words[2]}.",
            $"{_people[1]} [buys|bought] {words[0]} and {words[1]}.",
            $"{_people[1]} [cooks|cooked] {words[0]} with {words[1]}."));
    }

    private void Workshop()
    {
        string[] words = _draw.Some<string>(3, Tools);
        Say(_draw.One($"{_people[0]} [has|had] a lot of work.", $"{_people[0]} [looks|looked] for some tools."));
        Say(_draw.One(
            $"{Capital(_people[0].He)} [works|worked] with the {words[0]}, the {words[1]} and the {words[2]}.",
            $"{_people[1]} [fixes|fixed] the house with the {words[0]} and the {words[1]}."));
    }

    private void Dressing()
    {
        string[] words = _draw.Some<string>(3, Clothes);
        Say(_draw.One($"{_people[0]} [is|was] cold.", $"{_people[0]} [washes|washed] some clothes."));
        Say(_draw.One(
            $"{Capital(_people[0].He)} [puts|put] on a {words[0]}, a {words[1]} and a {words[2]}.",
            $"{_people[1]} [wears|wore] a {words[0]} and a {words[1]}."));
    }

    private void Travel()
    {
        string[] words = _draw.Some<string>(3, Places);
        string[] colors = _draw.Some<string>(3, Colors);
        Say(_draw.One($"{_people[0]} [sees|saw] many places.", $"{_people[0]} [knows|knew] many colors."));
        Say(_draw.One(
            $"{Capital(_people[0].He)} [walks|walked] from the {words[0]} to the {words[1]} and to the {words[2]}.",
            $"{Capital(_people[0].He)} [paints|painted] with {Together(colors)}."));
    }
}
