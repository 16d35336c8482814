"""Expressions and small templates, each for a corner of the language, for expression_check.py."""

# Variables of every case beside its own: see DATA.
DATA = {
    "n": 7, "f": 2.5, "neg": -3, "zero": 0, "big": 123456789012, "t": True, "no": False, "nil": None,
    "s": "Hello, World", "empty": "", "u": "Straße ΑΣ İ ŉ ﬁ ǆ 日本 😀 e\u0301", "ws": " \t a b\n\u00a0c ", "lines": "one\ntwo\r\nthree\n\nfour",
    "html": "<b class=\"x\">Tom & 'Jerry'</b>", "l": [3, 1, 2], "e": [], "w": ["b", "A", "c", "a"], "nested": [[1, 2], [3, [4, None]]],
    "d": {"a": 1, "b": {"c": [1, {"x": "y"}]}, "items": "mine", "q\"'": "quotes"}, "ed": {},
    "rows": [{"n": "x", "v": 3, "g": "A"}, {"n": "Y", "v": 1, "g": "b"}, {"n": "z", "v": 2, "g": "a"}, {"v": 9}],
    "mixed": [1, 2.0, "3", None, True, [4], {"k": 5}],
}

ARITHMETIC = """
1 + 2 * 3 - 4 / 2 | 7 // 2 | -7 // 2 | 7 // -2 | -7 % 3 | 7 % -3 | 7.5 // 2 | -7.5 // 2 | 7.5 % -2 | 1.0 // 0.1 | 1 % 0.1
2 ** 10 | 2 ** -1 | (-2) ** 3 | -2 ** 2 | 2 ** 3 ** 2 | 2 ** 0.5 | 0 ** 0 | 0 ** -1 | 0.0 ** -1 | 2.0 ** 10000 | (-8) ** 0.5
1 / 0 | 1 // 0 | 1 % 0 | 1.0 / 0 | 10 / 4 | 10 / 5 | 1e20 + 1 | 1e300 * 1e10 | -1e300 * 1e10 | 0.1 + 0.2 | 1e-5 | 1.5e3 | 1E5 | 100000000000000000.0 | 123456789.123456789
0x1F | 0XfF | 0o17 | 0b101 | 1_000_000 | 0x_ff | 1_0.5_0 | 007 | 00 | 08 | 1__0 | .5 | 5. | 1.e5
true + 1 | true * 3 | -true | +true | not 0 | not not 1 | - - 1 | +-+1 | -n | +f | -s | +nil | -nil | -l
n + f | n * s | s * 2 | 2 * s | s * -1 | s * 2.0 | l * 2 | 2 * l | l + [4] | l + (4,) | (1,) + (2,) | (1,) * 2 | s + 1 | 1 + s | s + nil | d + d | nil + nil
s - s | l - l | s / 2 | l // 2 | l % 2 | undefined + 1 | 1 + undefined | undefined * 2 | -undefined | undefined ~ 1
n ~ s ~ nil ~ t ~ f ~ l ~ d | 1 ~ 2 + 3 | 'a' ~ 'b' * 2 | ('a' ~ 'b') * 2 | 1 ~ undefined ~ 2
'a' 'b' "c" | 'a' "b" ~ 'c'
"""

COMPARISONS = """
1 < 2 < 3 | 1 < 3 < 2 | 3 > 2 > 1 | 1 == 1.0 == true | 1 != 1 | 1 <> 2 | 'a' < 'b' | 'a' < 'B' | 'é' > 'z' | [1, 2] < [1, 3] | [1] < [1, 0] | (1, 2) < (1, 3) | [1] < (1,) | 1 < 'a' | nil < 1 | nil == none | nil != false
s == s | l == [3, 1, 2] | l == (3, 1, 2) | d == d | ed == {} | {'a': 1, 'b': 2} == {'b': 2, 'a': 1} | {1: 'x'} == {1.0: 'x'} | [nil] == [none] | undefined == undefined2 | undefined == none | undefined < 1 | undefined != ''
1 in l | 4 in l | 4 not in l | 'a' in d | 1 in d | 'H' in s | '' in s | 'xyz' in s | 1 in s | nil in s | nil in [none] | 1 in 2 | 1 in nil | undefined in l | 1 in undefined | [1] in [[1]] | [1] in d | 'a' in 'abc' in ['abc']
t and s | no and s | t or s | no or empty or 'x' | nil and 1 / 0 | t or 1 / 0 | not t and no | not (t and no) | e or d | ed and 1
'x' if t else 'y' | 'x' if no else 'y' | 'x' if no | ('x' if no) is defined | 1 if no else 2 if no else 3 | 1 if t else 1 / 0 | (1 if t else 2) + 1 | 'a' if n > 5 and f < 3 else 'b'
1 is integer | t is integer | f is float | 1 is float | n is number | s is number | t is number | s is string | 1 is string | d is mapping | l is mapping | l is sequence | s is sequence | d is sequence | n is sequence | undefined is sequence | l is iterable | n is iterable | d is iterable | undefined is iterable
nil is none | undefined is none | t is boolean | 1 is boolean | t is true | 1 is true | no is false | zero is false | range is callable | s is callable | undefined is callable | s.upper is callable | l is callable
n is odd | n is even | neg is odd | zero is even | f is odd | s is odd | n is divisibleby 7 | n is divisibleby(2) | n is divisibleby zero | 'a' is lower | 'A' is lower | 'A1' is upper | '1' is upper | 'aB' is lower | s is upper
1 is eq 1 | 1 is equalto(2) | 1 is ne 2 | 2 is gt 1 | 2 is greaterthan(3) | 2 is ge 2 | 1 is lt 2 | 1 is lessthan 1 | 1 is le 1 | 1 is in l | 3 is in l | 5 is not in l | 1 is sameas 1 | nil is sameas none | t is sameas true | t is sameas 1 | 1 is sameas 1.0
s is defined | nope is defined | nope is undefined | nope is not defined | d.a is defined | d.zz is defined | d.zz.y is defined | d['a'] is defined | l[9] is defined | l[0] is defined | not nope is defined
'upper' is filter | 'nope' is filter | 'defined' is test | 'nope' is test | html is escaped | (html | e) is escaped | 1 is not none and 2 is not none | n is odd and n is not even | n is nosuchtest | 1 is 1
s is defined if t else 3 | n is odd == true | n is divisibleby 7 or no | n is not odd | not n is odd
"""

ACCESS = """
d.a | d['a'] | d["b"].c[1].x | d.b['c'][0] | d.items | d['items'] | d.items() | d.keys | d.zz | d['zz'] | d.zz.y | d.b.c.x | d[1] | d[nil] | d[[1]] | ed.a | nil.a | nil['a'] | n.a | undefined.a | undefined['a'] | undefined[0] | undefined()
l[0] | l[-1] | l[3] | l[-4] | l['0'] | l[0.0] | l[true] | l[nil] | l.0 | l.5 | nested[1][1][0] | nested.1.1.0 | nested[0].1 | s[0] | s[-1] | s[100] | u[8] | s['a'] | s.0 | (1, 2)[1] | [1, 2][0] | {'a': 1}['a'] | {'a': {'b': 2}}.a.b | 'abc'[1] | l[1, 2]
l[:] | l[1:] | l[:1] | l[::2] | l[::-1] | l[5:] | l[-2:] | l[:-5] | l[2:0:-1] | l[::0] | l['a':] | l[nil:2] | l[1:none:1] | s[1:4] | s[::-1] | u[::-1] | u[-3:] | u[2:5] | s[1:2:3] | s[10:2] | (1, 2, 3)[1:] | d[1:] | nil[1:] | undefined[1:] | n[:1] | range(10)[2:5] | range(5)[1] | range(5)[-1]
d.get('a') | d.get('zz') | d.get('zz', 5) | d.get('zz', default=5) | d.get() | d.get([]) | d.b.get('c')[0] | d.get('b').c | ed.get('x', nil)
l.__class__ | s.__init__ | d.__len__ | l.append(1) | l.pop() | d.update({}) | d.pop('a') | d.clear | l.sort() | l.copy() | d.copy().a | l.nosuch | l.nosuch() | s.nosuch() | n() | s() | nil()
[] | () | {} | [1,] | (1,) | {'a': 1,} | [1, 'a', [none, true], (1, 2), {'k': 1.5}] | {1: 2, 'a': 'b', none: 3, 1.5: 4, true: 5} | {[1]: 2} | {{}: 1} | {(1, 2): 3} | {([],): 1} | {'a': 1, 'a': 2} | ((1)) | (1, (2, (3,)))
range(3) | range(3) | list | range(2, 5) | list | range(10, 0, -3) | list | range(0) | list | range(1, 2, 0) | range() | range('a') | range(2.5) | range(100001) | range(3) == range(3) | range(3)[1] | range(3) | length | range(5, 2)
dict(a=1) | dict({'a': 1}, b=2) | dict([('a', 1)]) | dict([1]) | dict(1) | dict(d, a=5).a | dict() | namespace(a=1).a | namespace({'a': 2}).a | namespace(a=1).b | namespace(a=1)['a'] | namespace
"""

STRINGS = r"""
'\n\t\\\'"' | "\x41\u00e9\U0001F600\101\0" | '\q\z' | 'a\
b' | "it's" | 'say "hi"' | ['it\'s', "say \"hi\"", 'both \'"'] | ['\x00\x1f\x7f\x80\xa0\u200b\u2028é日😀\ud7ff'] | ['tab\tnl\ncr\r\\']
' a b '.strip() | ws.strip() | ws.lstrip() | ws.rstrip() | 'xxaxx'.strip('x') | 'abcba'.strip('ab') | 'xa'.lstrip('x') | 'ax'.rstrip('xa') | s.strip(none) | s.strip(1) | s.strip(chars='H')
s.upper() | s.lower() | s.title() | s.capitalize() | s.swapcase() | u.upper() | u.lower() | u.title() | u.capitalize() | u.swapcase() | u.casefold() | "they're bill's UK".title() | 'ΑΣ ΑΣΑ Σ'.lower() | 'ǆx ßs'.title() | 'ǆX'.capitalize() | '1a b2c'.title() | s.upper(1)
s.startswith('He') | s.startswith(('x', 'H')) | s.startswith('') | s.startswith('W', 7) | s.startswith('o', 4, 5) | s.startswith('W', -5) | s.startswith(1) | s.startswith(['H']) | s.endswith('ld') | s.endswith(('ld', 'x')) | s.endswith('o', 0, 5) | empty.startswith('')
s.find('o') | s.find('o', 5) | s.find('o', 5, 6) | s.find('z') | s.rfind('o') | s.rfind('o', 0, 5) | u.find('日') | u.rfind('e') | s.find('') | s.find('', 50) | s.index('o') | s.index('z') | s.rindex('o') | s.rindex('z') | s.count('l') | s.count('l', 4) | s.count('') | u.count('') | 'aaaa'.count('aa') | s.count('o', -3) | s.find()
s.replace('l', 'L') | s.replace('l', 'L', 1) | s.replace('', '-') | s.replace('l', '') | 'aaa'.replace('aa', 'b') | s.replace('z', 'y') | s.replace('l', 'L', -1) | s.replace('l', 'L', 0) | s.replace('l') | s.replace('l', 1) | u.replace('', '.', 3)
s.split() | ws.split() | s.split(',') | s.split(', ') | s.split('l', 1) | s.rsplit('l', 1) | 'a b  c '.split(none, 1) | 'a b  c '.rsplit(none, 1) | ' a b c'.rsplit(none, 2) | s.split('') | empty.split() | empty.split(',') | 'a,b,,c,'.split(',') | 'a,b'.split(',', maxsplit=0) | 'a,b'.split(sep=',') | s.split(1) | ' a '.split(' ') | 'a b c'.rsplit(maxsplit=1) | lines.splitlines() | lines.splitlines(true) | empty.splitlines() | 'a\n'.splitlines() | lines.split('\n')
s.partition(',') | s.partition('z') | s.rpartition('o') | s.rpartition('z') | s.partition('') | ','.join(['a', 'b']) | ','.join('abc') | ','.join([]) | ','.join([1]) | ','.join(d) | ', '.join(w) | ','.join(nil)
'ab'.isalpha() | 'a1'.isalpha() | ''.isalpha() | '12'.isdigit() | '1.2'.isdigit() | '²'.isdigit() | '²'.isdecimal() | '½'.isnumeric() | '½'.isdigit() | '٣'.isdecimal() | 'a1'.isalnum() | 'a 1'.isalnum() | ' \t\n'.isspace() | ''.isspace() | 'AB1'.isupper() | 'ab1'.islower() | '1'.islower() | 'Ab Cd'.istitle() | 'AB'.istitle() | 'é'.isascii() | ''.isascii() | 'a\n'.isprintable() | 'aé'.isprintable() | 'é'.islower()
'ab'.center(6) | 'ab'.center(7, '*') | 'abc'.center(6, '-') | 'abc'.center(8) | 'ab'.ljust(5) | 'ab'.rjust(5, '0') | 'ab'.ljust(1) | '42'.zfill(5) | '-42'.zfill(5) | '+4'.zfill(1) | 'a\tb'.expandtabs() | 'a\tbc\td'.expandtabs(4) | 'ab'.center(5, 'xy') | 'abc'.removeprefix('a') | 'abc'.removeprefix('x') | 'abc'.removesuffix('bc') | 'abc'.removesuffix('')
'%s and %s' % (1, 'b') | '%s' % l | '%s' % (l,) | '%d' % 3.9 | '%d' % '3' | '%05d|%-5d|%+d|% d' % (42, 42, 42, 42) | '%5.2f|%.0f|%e|%g|%G' % (3.14159, 2.5, 12345.678, 0.00001, 1e20) | '%x %X %o %#x %#o' % (255, 255, 8, 255, 8) | '%r %r' % ('a', 1) | '%c%c' % ('a', 'b') | '%%' % () | '100%' % () | '%s' % () | '%s' % (1, 2) | '%(a)s %(b)s' % {'a': 1, 'b': 2} | '%(z)s' % {'a': 1} | '%(a)s' % 1 | '%5s|%-5s|%.2s' % ('ab', 'ab', 'abc') | '%*d' % (5, 42) | '%.*f' % (2, 3.14159) | '%s' % nil | '%i' % true | '%z' % 1 | 'abc' % () | 'abc' % 1 | '%.3d' % 5 | '%+.1e' % 12345.678
'{} {}'.format(1, 'b') | '{0} {1} {0}'.format('a', 'b') | '{a}-{b}'.format(a=1, b=l) | '{}'.format() | '{0} {}'.format(1, 2) | '{{}} {{x}}'.format() | '{d[a]} {d[b][c]}'.format(d=d) | '{0[1]}'.format(l) | '{!r} {!s}'.format('a', 'b') | '{:>5}|{:<5}|{:^5}|{:*^7}'.format('a', 'b', 'c', 'd') | '{:5}|{:5}'.format('a', 1) | '{:05d}|{:+d}|{: d}|{:,}|{:_}'.format(42, 42, 42, 1234567, 1234567) | '{:.2f}|{:8.3f}|{:e}|{:g}|{:%}|{:.1%}'.format(3.14159, 3.14159, 12345.678, 0.0001, 0.5, 0.1234) | '{:x}|{:X}|{:#x}|{:b}|{:o}|{:#b}'.format(255, 255, 255, 5, 8, 5) | '{:.3}'.format('abcdef') | '{:.3}'.format(3.14159) | '{:.3}'.format(1234567.0) | '{:.1}'.format(1.0) | '{:10.2}|'.format('abc') | '{:{}}|'.format('a', 5) | '{:{w}.{p}f}|'.format(3.14159, w=8, p=2) | '{:d}'.format('a') | '{:d}'.format(1.5) | '{:s}'.format(1) | '{:}'.format(nil) | '{:5}'.format(nil) | '{:5}'.format(true) | '{}'.format(true) | '{'.format() | '}'.format() | '{x}'.format() | '{:5}'.format(l) | '{:=+6}'.format(42) | '{:<08.2f}|{:08.2f}'.format(3.14159, -3.14159) | '{:,.2f}'.format(1234567.891) | '{:5}|'.format(2.5) | '{:.0f}{:.0f}'.format(0.5, 1.5) | '{:é>4}'.format('x') | '{.a}'.format(d) | '{:g} {:G}'.format(1e100, 1e-10) | '{:n}'.format(5)
"""

FILTERS = r"""
ws | trim | 'xax' | trim('x') | n | trim | nil | trim | s | upper | n | upper | nil | lower | u | upper | u | lower | u | title | 'hello big-world (again) [x] {y} <z>' | title | "they're" | title | 'a\nb c' | title | s | capitalize | '' | capitalize | u | capitalize
nil | default('x') | nope | default('x') | nope | default | '' | default('x') | '' | default('x', true) | nil | d('x', true) | nope.a | default('x') | d.zz | default('q') | nope | d(default_value=1) | zero | default(5, boolean=true) | nope | default(nope2) is defined
l | length | s | length | u | length | d | length | n | length | nil | length | nope | length | e | count | range(4) | length | (1, 2) | count
l | first | e | first | s | first | d | first | n | first | e | first is defined | l | last | e | last | s | last | d | last | nil | last | nope | first | nope | last
l | join | l | join(', ') | w | join('-') | mixed | join('|') | rows | join(',', attribute='v') | rows | join(',', 'n') | s | join('.') | d | join(',') | n | join | nil | join | nope | join(',') | l | join(1) | l | join(d=';') | nested | join
l | sort | l | sort(reverse=true) | w | sort | w | sort(case_sensitive=true) | w | sort(true, true) | rows[:3] | sort(attribute='v') | map(attribute='v') | list | rows[:3] | sort(attribute='n') | map(attribute='n') | list | rows[:3] | sort(attribute='g,v') | map(attribute='v') | list | mixed | sort | d | sort | s | sort | nil | sort | [[2, 1], [1, 2]] | sort | rows | sort(attribute='n') | [(2, 'b'), (1, 'a')] | sort(attribute=0)
d | dictsort | {'b': 1, 'a': 2, 'C': 0} | dictsort | {'b': 1, 'a': 2, 'C': 0} | dictsort(true) | {'b': 1, 'a': 2} | dictsort(by='value') | {'b': 1, 'a': 2} | dictsort(false, 'value', true) | {'b': 1} | dictsort(by='x') | l | dictsort | {'b': 1, 2: 3} | dictsort
[1, 1, 2, 1] | unique | list | ['a', 'A', 'b'] | unique | list | ['a', 'A'] | unique(true) | list | rows[:3] | unique(attribute='g') | map(attribute='n') | list | e | unique | list | [1, 1.0, true] | unique | list
l | min | l | max | e | min | w | max | w | max(case_sensitive=true) | rows | max(attribute='v') | rows | min(attribute='v') | mixed | max | s | max | l | sum | e | sum | [1.5, 2] | sum | rows | sum(attribute='v') | rows | sum('v', 100) | w | sum | [[1], [2]] | sum(start=[]) | ['a'] | sum(start='')
l | reverse | list | s | reverse | u | reverse | d | reverse | list | (1, 2) | reverse | list | n | reverse | nil | reverse | l | reverse | length | l | list | s | list | d | list | n | list | nil | list | nope | list | (1, 2) | list | range(3) | list | d.items() | list | d.values() | list | d.keys() | list
d | items | list | nope | items | list | l | items | list | {'a': 1} | items | first | nil | items | list
rows | map(attribute='n') | list | rows | map(attribute='n', default='-') | list | rows | map(attribute='n', default=none) | list | w | map('upper') | list | w | map('replace', 'a', 'x') | join | ['1', 'x'] | map('int', default=9) | list | l | map('string') | join(',') | l | map | list | l | map('nosuch') | list | nil | map('upper') | list | nope | map('upper') | list | n | map('upper') | list | zero | map('upper') | list | [d] | map(attribute='b.c.0') | list | [l] | map(attribute=1) | list | [l] | map(attribute='1') | list | [[1, 2]] | map('sum') | list | [d] | map(attribute='zz.y') | list
l | select | list | [0, 1, '', 'a', nil] | select | list | l | select('odd') | list | l | select('gt', 1) | list | l | select('in', [1, 2]) | list | l | reject('odd') | list | mixed | select('string') | list | mixed | reject('none') | list | l | select('nosuch') | list | nil | select | list | n | select | list | rows | selectattr('n') | list | rows | selectattr('n', 'defined') | list | rows | selectattr('v', 'gt', 1) | map(attribute='v') | list | rows | selectattr('n', 'equalto', 'x') | list | rows | rejectattr('n', 'defined') | list | rows | rejectattr('v', 'in', [1, 2]) | list | rows | selectattr | list | rows | selectattr('a.b') | list | rows | selectattr('v', '==', 3) | list | rows | selectattr('v', '!=', 3) | list | length | nil | selectattr('x') | list
rows | groupby('g') | rows[:3] | groupby('g') | rows[:3] | groupby('g') | map(attribute='grouper') | list | rows[:3] | groupby('g', case_sensitive=true) | rows | groupby('n', default='none') | map('first') | list | rows[:3] | groupby('g') | map(attribute='list') | map('length') | list | (rows[:3] | groupby('g'))[0].list[0].v | rows | groupby
l | batch(2) | list | l | batch(2, 'x') | list | l | batch(5) | list | e | batch(2) | list | l | slice(2) | list | l | slice(2, 'x') | list | l | slice(5) | list | range(7) | slice(3) | list | l | slice(0) | list | l | batch
'42' | int | ' 42 ' | int | '4.7' | int | 4.7 | int | -4.7 | int | 'x' | int | 'x' | int(9) | nil | int | l | int | true | int | '1_000' | int | '1__0' | int | '0x1f' | int(base=16) | '1f' | int(0, 16) | '-101' | int(base=2) | '0b11' | int(base=2) | '0o17' | int(base=8) | 'z' | int(base=36) | '1e3' | int | 'inf' | int | '' | int | '+5' | int | '- 5' | int | nope | int | '99999999999' | int
'1.5' | float | 'x' | float | 'x' | float(2.5) | 3 | float | nil | float | '1e3' | float | ' 2 ' | float | '.5' | float | '5.' | float | 'inf' | float | '-inf' | float | 'nan' | float | true | float | '1_0.5' | float | nope | float | l | float(none)
2.5 | round | 3.5 | round | -2.5 | round | 2.675 | round(2) | 42.55 | round(1, 'floor') | 42.55 | round(1, 'ceil') | 5 | round | 1234 | round(-2) | 1250 | round(-2) | 1350 | round(-2) | -1250 | round(-2) | 1234.5 | round(-2) | 2.4 | round(method='ceil') | 2.4 | round(0, 'bad') | 's' | round | 5 | round(method='floor') | true | round | nil | round
-3 | abs | -3.5 | abs | 's' | abs | true | abs | nil | abs | nope | abs | 3 | string | nil | string | l | string | s | string | nope | string | d | string
s | replace('l', 'L') | s | replace('l', 'L', 1) | n | replace('7', '8') | s | replace('l') | s | replace('', '-') | n | replace(7, 8) | s | replace(old='l', new='L', count=2)
lines | indent | lines | indent(2) | lines | indent(2, true) | lines | indent(2, blank=true) | lines | indent('> ') | lines | indent(width='--', first=true, blank=true) | '' | indent(first=true) | n | indent(2, true) | 'a\n' | indent | '\na' | indent | 'a' | indent(-1)
html | escape | html | e | n | e | nil | e | html | e | e | html | e | forceescape | html | safe | html | forceescape | (html | safe) + '<i>' | '<i>' + (html | safe) | (html | safe) ~ '<i>' | (html | e) + (html | e) | (html | safe) * 2 | (html | safe | upper) + '<' | (html | safe | trim) + '<' | (html | safe)[:3] + '<' | (html | safe).upper() + '<' | (html | safe).split('>')[0] + '<' | (html | safe | string) + '<' | (html | safe | replace('b', 'i')) + '<' | ('<'| safe).join(['>', 'a']) | [html | safe] | (html | safe) == html | html | safe | length | ('{}' | safe).format('<') | (html | safe | indent) + '<' | (html | safe | title) + '<' | (html | safe | reverse) + '<' | (html | e).replace('b', '<') | (s | safe) + 1 | nil | safe
html | striptags | '<p>a  b</p>\n<!-- c --> d &amp; &lt;e&gt; &#39;f&#x41;' | striptags | 'a < b' | striptags | n | striptags | s | wordcount | u | wordcount | '' | wordcount | "it's a_b c-d" | wordcount | s | center(20) | s | center | 'ab' | center(5) | n | center(4)
'a b/c?d=e&é' | urlencode | {'a b': 'c/d', 'é': 1} | urlencode | [('a', 1), ('b', '&')] | urlencode | n | urlencode | nil | urlencode | {'class': 'a"b', 'id': none, 'n': 5} | xmlattr | {'a b': 1} | xmlattr | {'a': '<'} | xmlattr(false) | {} | xmlattr | l | xmlattr
'The quick brown fox jumps' | truncate(9) | 'The quick brown fox jumps' | truncate(9, true) | 'The quick brown fox' | truncate(16) | 'The quick brown fox' | truncate(16, leeway=0) | 'foo bar baz qux' | truncate(11, end='…') | 'foo' | truncate(2, end='long') | s | truncate | 'abcdefghijkl' | truncate(5) | u | truncate(5, true, '', 0)
100 | filesizeformat | 1 | filesizeformat | 1000 | filesizeformat | 1500000 | filesizeformat | 1024 | filesizeformat(true) | 1e30 | filesizeformat | '300' | filesizeformat | 999999 | filesizeformat | -5 | filesizeformat
'%s - %s' | format('a', 1) | '%(x)s' | format(x=1) | '%s' | format | '%s' | format('a', x=1) | n | format | s | attr('upper') is callable | (s | attr('upper'))() | d | attr('a') | d | attr('get') is callable | n | attr('zz') | namespace(a=1) | attr('a')
d | tojson | mixed | tojson | html | tojson | u | tojson | u | tojson(ensure_ascii=true) | '\x00\x1f\x7f\u2028' | tojson | d | tojson(indent=2) | d | tojson(2) | e | tojson(indent=2) | ed | tojson(indent=2) | [[], {}] | tojson(indent=1) | d | tojson(separators=(',', ':')) | d | tojson(indent=2, separators=(', ', '= ')) | {'b': 1, 'a': 2} | tojson(sort_keys=true) | {1: 2, none: 3, true: 4, 1.5: 5} | tojson | (1, 2) | tojson | 1e20 | tojson | 1e16 | tojson | 0.1 | tojson | -0.0 | tojson | 5.0 | tojson | nope | tojson | range(3) | tojson | d.items() | tojson | l | map('string') | tojson | {(1, 2): 3} | tojson | namespace() | tojson | 'inf' | float | tojson | (html | safe) | tojson | [1, [2, [3]]] | tojson(indent='\t') | s | tojson(true) | l | tojson(indent=0) | s | nosuchfilter | s | upper | lower | title | (s | upper).lower() | s | upper() | l | first | string ~ 'x' | -1 | abs | (-1) | abs | s | length + 1 | s | length > 3 and t
"""

# Templates with statements.
STATEMENTS = [
    "{% for x in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }}{{ loop.previtem }}{{ loop.nextitem }};{% endfor %}",
    "{% for x in l %}{{ loop.cycle('a', 'b') }}{{ loop.changed(x > 1) }}{% endfor %}{{ loop is defined }}",
    "{% for x in l %}{{ loop.cycle() }}{% endfor %}", "{% for x in l %}{{ loop }}{% endfor %}", "{% for x in l %}{{ loop.nosuch }}{{ loop.nosuch is defined }}{% endfor %}",
    "{% for a, b in [(1, 2), [3, 4]] %}{{ a }}{{ b }}{% endfor %}", "{% for a, b in [(1, 2, 3)] %}{% endfor %}", "{% for a, b in [1] %}{% endfor %}",
    "{% for a, (b, c) in [(1, (2, 3))] %}{{ a + b + c }}{% endfor %}", "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}", "{% for k in d %}{{ k }}{% endfor %}",
    "{% for k, v in d | dictsort %}{{ k }}{% endfor %}", "{% for c in 'añ😀' %}{{ c }}.{% endfor %}", "{% for x in n %}{% endfor %}", "{% for x in nil %}{% endfor %}", "{% for x in nope %}a{% else %}none{% endfor %}",
    "{% for x in [] %}{% else %}{{ loop is defined }}{% endfor %}", "{% for x in l if x > 1 %}{{ x }}/{{ loop.length }}{{ loop.index }}{% else %}no{% endfor %}", "{% for x in l if x > 9 %}{% else %}no{% endfor %}",
    "{% for x in l %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% if loop.last %}!{% endif %}{% endfor %}", "{% for x in l %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in l %}{% for y in w %}{% if y == 'A' %}{% break %}{% endif %}{{ x }}{{ y }}{% endfor %}{{ loop.index }}{% endfor %}", "{% break %}", "{% if t %}{% continue %}{% endif %}",
    "{% for x in nested recursive %}{% if x is iterable %}[{{ loop(x) }}]{% else %}{{ x }}@{{ loop.depth }}{% endif %}{% endfor %}", "{% for x in l %}{{ loop(l) }}{% endfor %}",
    "{% for x in [1, [2, [3]]] recursive %}{{ loop.depth0 }}{{ loop.index }}{% if x is sequence %}{{ loop(x) }}{% endif %};{% else %}empty{% endfor %}",
    "{% for x in [[[]]] recursive %}{{ loop(x) }}{% else %}e{% endfor %}", "{% for x in l if x > 1 recursive %}{{ x }}{% endfor %}", "{% for x in l recursive %}{{ loop() }}{% endfor %}",
    "{% set x = 1 %}{% for i in l %}{{ x }}{% set x = i %}{{ x }}{% endfor %}{{ x }}", "{% if t %}{% set x = 1 %}{% endif %}{{ x }}{% if no %}{% set y = 1 %}{% endif %}{{ y is defined }}",
    "{% set a, b = 1, 2 %}{{ a }}{{ b }}", "{% set a, b = 1 %}", "{% set a = b = 1 %}", "{% set (a, b) = (1, 2) %}{{ a + b }}", "{% set a = 1, 2 %}{{ a }}", "{% set a %}x{{ n }}{% endset %}{{ a }}{{ a is string }}", "{% set a | upper | replace('X', 'y') %}x{{ n }}{% endset %}{{ a }}",
    "{% set ns = namespace(a=0) %}{% for i in l %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}", "{% set ns = namespace(_a=1) %}", "{% set ns = namespace() %}{% set ns._x = 1 %}", "{% set ns = namespace() %}{% set ns.x = 1 %}{{ ns.x }}{{ ns.y is defined }}", "{% set d.x = 1 %}", "{% set nope.x = 1 %}", "{% set l[0] = 1 %}",
    "{% set ns = namespace(a=1) %}{% set ns.b, c = 1, 2 %}{{ ns.b }}{{ c }}", "{% set ns = namespace() %}{% set ns.t %}hi{{ n }}{% endset %}{{ ns.t }}", "{{ namespace(1) }}", "{{ namespace(a=1) is mapping }}",
    "{% macro m(a, b=2, c=b) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) }}{{ m(1, 3) }}{{ m(1, c=4) }}{{ m(b=1, a=0) }}{{ m() }}", "{% macro m() %}{% endmacro %}{{ m(1) }}", "{% macro m(a) %}{% endmacro %}{{ m(1, a=2) }}", "{% macro m(a) %}{% endmacro %}{{ m(b=2) }}",
    "{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, a=3) }}{{ m() }}", "{% macro m(a) %}{{ a }}{{ varargs }}{% endmacro %}{{ m(1, 2) }}", "{% macro m(a) %}{{ kwargs }}{% endmacro %}{{ m(1, a=2) }}", "{% macro m(a=1, b) %}{% endmacro %}",
    "{% macro m(x) %}{{ x is defined }}{{ x }}{% endmacro %}{{ m() }}", "{% macro m(x) %}{{ x.y }}{% endmacro %}{{ m() }}", "{% macro m() %}{{ n }}{% set n = 1 %}{{ n }}{% endmacro %}{{ m() }}{{ n }}", "{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(5) }}",
    "{% macro m() %}{{ later }}{% endmacro %}{% set later = 5 %}{{ m() }}", "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}B{% endmacro %}{{ a() }}", "{% for x in l %}{% macro m() %}{{ x }}{% endmacro %}{{ m() }}{% endfor %}", "{% macro m() %}x{% endmacro %}{{ m() | upper }}{{ m() + '<' }}",
    "{% macro w(t) %}<{{ t }}>{{ caller() }}</{{ t }}>{% endmacro %}{% call w('b') %}in {{ n }}{% endcall %}", "{% macro e(l) %}{% for x in l %}{{ caller(x, y=loop.index) }}{% endfor %}{% endmacro %}{% call(x, y) e(l) %}[{{ x }}{{ y }}]{% endcall %}",
    "{% macro m() %}{{ caller is defined }}{% endmacro %}{{ m() }}{% call m() %}{% endcall %}", "{% macro m() %}x{% endmacro %}{% call m() %}{% endcall %}", "{% macro m() %}{{ caller() }}{% endmacro %}{{ m() }}", "{% call 1 %}{% endcall %}", "{% call range(3) %}{% endcall %}",
    "{% macro outer() %}{{ caller() }}{% endmacro %}{% macro inner() %}{% call outer() %}{{ caller() }}{% endcall %}{% endmacro %}{% call inner() %}deep{% endcall %}",
    "{% macro m(a, b) %}{{ a }}{{ b }}{% endmacro %}{{ m(*[1, 2]) }}{{ m(**{'a': 3, 'b': 4}) }}{{ m(1, *[2]) }}{{ m(*[1], b=2) }}{{ m(*(5,), **{'b': 6}) }}", "{{ dict(**{'a': 1}, b=2) }}", "{{ dict(**{1: 2}) }}", "{{ dict(**n) }}", "{{ range(*[1, 3]) | list }}", "{{ range(*n) }}", "{{ dict(a=1, **{'a': 2}) }}", "{{ '{}{x}'.format(*l, **{'x': 1}) }}", "{{ range(**{}, *[3]) }}", "{{ range(*[1], 3) }}", "{{ range(a=1, 2) }}",
    "{% filter upper %}a{{ s }}{% endfilter %}", "{% filter replace('a', 'b') | title %}banana{% endfilter %}", "{% filter nosuch %}{% endfilter %}", "{% filter indent(2, true) %}a\nb{% endfilter %}",
    "{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}{{ a is defined }}", "{% with %}{% set q = 1 %}{{ q }}{% endwith %}{{ q is defined }}", "{% with n = n + 1 %}{{ n }}{% endwith %}{{ n }}", "{% set a = 1 %}{% with a = 2, b = a %}{{ b }}{% endwith %}",
    "{% generation %}a{{ n }}{% set q = 1 %}{% endgeneration %}{{ q is defined }}", "{% for x in l %}{% generation %}{{ x }}{{ loop.index }}{% endgeneration %}{% endfor %}", "{% for x in l %}{% generation %}{% break %}{% endgeneration %}{% endfor %}",
    "{% if t %}a{% elif nope.x %}b{% else %}c{% endif %}", "{% if no %}a{% elif n == 7 %}b{% elif t %}c{% endif %}", "{% if nope %}a{% else %}b{% endif %}", "{% if t, no %}x{% endif %}", "{% if (1 if no else 2) %}x{% endif %}", "{% if 1 if no else 2 %}x{% endif %}",
    "{% set x = l | map('string') %}{{ x | join }}{{ x | join }}", "{% set x = l | select %}{% if x %}yes{% endif %}{{ x | list | length }}", "{% set x = e | select %}{% if x %}yes{% else %}no{% endif %}", "{% set x = l | map('string') %}{{ x | length }}", "{% set x = l | map('string') %}{{ x | first }}{{ x | list }}", "{% set x = l | map('string') %}{{ x[0] is defined }}{{ 1 in x }}{{ x | list }}", "{% set x = l | reject('odd') %}{% for y in x %}{{ y }}{% endfor %}{% for y in x %}{{ y }}{% else %}gone{% endfor %}", "{{ (l | map('string'))[1:] }}", "{% set x = l | reverse %}{{ x | list }}{{ x | list }}", "{{ l | map('string') | sort | join }}{{ (l | select) is iterable }}{{ (l | select) is sequence }}{{ (l | select) is mapping }}", "{% set x = rows | map(attribute='v') %}{{ x | sum }}{{ x | sum }}", "{{ l | map('string') | last }}", "{{ l | map('string') | unique | list }}", "{{ (l | select) == (l | select) }}{{ d.items() == d.items() }}{{ d.keys() == ['a'] }}",
    # What is asked for is made, and no more: a mistake that comes later is none.
    "{{ [1, {}] | unique | first }}", "{{ [1, {}] | unique | list }}", "{{ [1, 'a'] | map('abs') | first }}", "{{ ['a', 1] | map('abs') | first }}",
    "{{ [[1], 2] | map('first') | unique | first }}", "{{ [2, 'x'] | select('divisibleby', 2) | first }}", "{{ [1, 'x'] | reject('divisibleby', 2) | first }}",
    "{{ [{'a': 1}, nope] | selectattr('a') | first }}", "{{ [[1], 2] | map('first') | batch(1) | first }}", "{{ [[1], [2], 3] | map('first') | batch(1) | first }}",
    "{{ [1, 'a', 2] | map('abs') | slice(1) | first }}", "{% set x = [1, -2, 'a'] | map('abs') %}{{ x | first }}{{ x | first }}",
    "{% set x = [1, -2, 'a'] | map('abs') %}{{ x | first }}{{ x | first }}{{ x | first }}", "{{ [3, 1, 2, 5] | batch(2, 'z') | list }}{{ [3, 1, 2] | batch(2, 'z') | list }}{{ e | batch(2, 'z') | list }}",
    "{% set c = cycler('a', 'b', 'c') %}{{ c.next() }}{{ c.next() }}{{ c.current }}{{ c.next() }}{{ c.next() }}{{ c.reset() }}{{ c.next() }}", "{{ cycler() }}", "{% set j = joiner() %}{{ j() }}a{{ j() }}b{{ j() }}", "{% set j = joiner(' | ') %}{% for x in l %}{{ j() }}{{ x }}{% endfor %}",
    "{{ d.items() }}{{ d.keys() }}{{ d.values() }}", "{{ d.items()[0] }}", "{{ d.keys()[0] is defined }}", "{{ d.values() | length }}{{ d.items() is sequence }}{{ d.items() is iterable }}", "{{ range(3) }}{{ range(1, 7, 2) }}{{ range(3) is sequence }}",
    "{% raw %}{{ x }}{% if %}{# c #}{% endraw %}|{% raw -%} a {%- endraw %}|", "{# a #}b{#- c -#} d {# {{ #}", "{{ '}}' }}{{ '%}' }}{{ \"{{\" }}", "{{- 'a' -}}  b  {{- 'c' }}", "{{+ 'a' }}", "a {{- 1 }} {{ 2 -}} b",
    "  {% if t %}\n  a\n  {% endif %}\nb", "x  {%- if t %}\n  a\n  {%- endif -%}\n  b", "{% if t +%}\na{% endif %}\n\nb", "  {%+ if t %}a{% endif %}", "\t{# c #}\nx\n\t{#- c #}\ny", "{% for x in l %}\n{{ x }}\n{% endfor %}\nend\n", "a\r\nb\r{% if t %}\r\nc{% endif %}\n\n", "{% set x = 1 %}\n\n{{ x }}\n", "{%- set x = 1 -%}\n\n{{ x }}", "\n\n{% if t %}\n\n{% endif %}\n\n", "a{% raw %}\n  b\n{% endraw %}\nc", "  {{ n }}  \n  {% raw %} {% endraw %}  ",
    "{{ n }}\u00a0{%- if t -%}\u00a0{%- endif %}", "{{\n  n\n  +\n  1\n}}", "{%if t%}a{%endif%}", "{{n}}{{(n)}}{{ [n][0]}}", "{{ n\u00a0+ 1 }}", "{%\tif t\t%}a{%\nendif\n%}",
    "{{", "{{ }}", "{% %}", "{% if %}", "{% if t %}", "{% endif %}", "{% else %}", "{% nosuch %}", "{{ 1 + }}", "{{ (1 }}", "{{ 1) }}", "{{ [1, }}", "{{ {1} }}", "{{ {'a' 1} }}", "{{ a. }}", "{{ a.[0] }}", "{{ a[ }}", "{{ 'abc }}", "{{ 1 2 }}", "{{ a b }}", "{{ ! }}", "{{ a ? b }}", "{{ @ }}", "{{ 'a' if }}", "{{ if a }}", "{{ a | }}", "{{ a | 1 }}", "{{ a is }}", "{{ a is defined is none }}", "{{ not }}", "{{ a.b.1 }}", "{{ f(a=1, a=2) }}",
    "{% for %}{% endfor %}", "{% for x %}{% endfor %}", "{% for x in %}{% endfor %}", "{% for 1 in l %}{% endfor %}", "{% for x in l %}", "{% for x in l %}{% endif %}", "{% for x.y in l %}{% endfor %}", "{% set %}", "{% set 1 = 2 %}", "{% set x %}", "{% set x = %}", "{% macro %}{% endmacro %}", "{% macro m %}{% endmacro %}", "{% macro m( %}{% endmacro %}", "{% macro m(a b) %}{% endmacro %}", "{% raw %}", "{% raw %}x", "{# a", "{% filter %}{% endfilter %}", "{% with a %}{% endwith %}", "{% call %}{% endcall %}", "{% endfor %}", "{% if t %}{% else %}{% else %}{% endif %}", "{% if t %}{% else %}{% elif no %}{% endif %}",
    "{% include 'x' %}", "{% import 'x' as y %}", "{% from 'x' import y %}", "{% extends 'x' %}", "{{ raise_exception('no: ' ~ n) }}", "{{ raise_exception() }}", "{% if no %}{{ raise_exception('x') }}{% endif %}ok", "{{ strftime_now('%Y') | length }}{{ strftime_now('%d %b %Y') }}", "{{ strftime_now() }}", "{{ strftime_now(1) }}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "{% for x in range(99999) %}{% for y in range(99999) %}{% for z in range(99999) %}{% break %}{% endfor %}{% break %}{% endfor %}{% break %}{% endfor %}ok", "{{ range(1000000) }}", "{{ nope.x.y }}", "{{ nope[0] }}", "{{ nope() }}", "{{ d.nope() }}", "{{ d.nope.x }}", "{{ nope | upper }}", "{{ nope ~ 'x' }}", "{{ nope > 1 }}", "{{ nope | int }}", "{{ nope | join }}", "{{ -nope }}", "{{ nope in nope }}", "{% for x in nope.y %}{% endfor %}", "{% if nope.y %}{% endif %}", "{% set x = nope.y %}", "{{ nope is defined and nope.y }}",
    "{% block a %}x{% endblock %}", "{% autoescape false %}x{% endautoescape %}", "{% do l %}", "{{ l | pprint }}", "{{ s | wordwrap(5) }}", "{{ n if t else }}", "{{ none }}{{ None }}{{ True }}{{ false }}{{ TRUE is defined }}", "{{ none.x }}", "{{ 'a'.b }}{{ 1.5.x }}", "{{ (1).x }}{{ [].x }}",
]


def expressions():
    """Each expression of the blocks above, which stand between ' | ' where that can't be a filter's bar."""
    for block in (ARITHMETIC, COMPARISONS, ACCESS, STRINGS):
        for line in block.replace("\\\nb'", "\0").strip().split("\n"):
            yield from (part.replace("\0", "\\\nb'") for part in split_line(line))
    for line in FILTERS.strip().split("\n"):
        yield from split_filters(line)


def split_line(line):
    """At bars outside of quotes and brackets."""
    parts, depth, quote, start, i = [], 0, "", 0, 0
    while i < len(line):
        c = line[i]
        if quote:
            if c == "\\":
                i += 1
            elif c == quote:
                quote = ""
        elif c in "'\"":
            quote = c
        elif c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
        elif line.startswith(" | ", i) and depth == 0:
            parts.append(line[start:i])
            start = i + 3
        i += 1
    parts.append(line[start:])
    return [part.strip() for part in parts]


FILTER_NAMES = {"abs", "attr", "batch", "capitalize", "center", "count", "d", "default", "dictsort", "e", "escape", "filesizeformat", "first",
                "float", "forceescape", "format", "groupby", "indent", "int", "items", "join", "last", "length", "list", "lower", "map", "max",
                "min", "pprint", "random", "reject", "rejectattr", "replace", "reverse", "round", "safe", "select", "selectattr", "slice",
                "sort", "string", "striptags", "sum", "title", "tojson", "trim", "truncate", "unique", "upper", "urlencode", "wordcount",
                "wordwrap", "xmlattr", "nosuchfilter"}
VARIABLES = set(DATA) - {"d", "e"}


def split_filters(line):
    """Parts of a line put together again where one is a filter of the part before."""
    whole = []
    for part in split_line(line):
        name = part.split("(")[0].split(" ")[0]
        is_filter = name in FILTER_NAMES and whole and not (name in ("d", "e") and part in ("d", "e") and ends_filtered(whole[-1]))
        if is_filter:
            whole[-1] += " | " + part
        else:
            whole.append(part)
    return whole


def ends_filtered(expression):
    """Whether it has a filter already, so that a lone `d` or `e` behind it begins the next expression."""
    return "|" in expression
