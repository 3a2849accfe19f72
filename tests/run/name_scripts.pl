#!/usr/bin/perl
# Makes common/name_scripts.h: which characters beyond ASCII a name may hold, and of which script they are, from the Unicode data of this perl.
# Characters of Identifier_Status=Allowed (UTS 39) that stay what they are under NFKC, of one script each: neither Common nor Inherited.
use strict;
use warnings;
use Unicode::Normalize qw(NFKC);
use Unicode::UCD qw(charscript);

my (@ranges, %names);
for my $c (0x80 .. 0x323af) {
	next if $c >= 0xd800 && $c <= 0xdfff;
	my $text = chr($c);
	next unless $text =~ /\p{Identifier_Status=Allowed}/ && $text =~ /[\p{L}\p{M}\p{Nd}]/ && NFKC($text) eq $text;
	my $script = charscript($c);
	$script = 'Katakana' if $c == 0x30fc;    # the long sound of both kinds of kana
	next if $script eq 'Common' || $script eq 'Inherited' || $script eq 'Unknown';
	$names{$script} = 1;
	if (@ranges && $ranges[-1][1] == $c - 1 && $ranges[-1][2] eq $script) {
		$ranges[-1][1] = $c;
	} else {
		push @ranges, [$c, $c, $script];
	}
}
print "/* Which characters beyond ASCII a name may hold, and of which script they are. Included by name.c only.\n",
	" * Made by tests/run/name_scripts.pl from the data of Unicode ", Unicode::UCD::UnicodeVersion(), ". */\n",
	"#ifndef BARTIZAN_NAME_SCRIPTS_H\n#define BARTIZAN_NAME_SCRIPTS_H\n\n#include <stdint.h>\n\n/* clang-format off */\n";
print "enum script {\n\tSCRIPT_NONE,\n", (map { "\tSCRIPT_\U$_\E,\n" } sort keys %names), "\tSCRIPTS\n};\n";
print "static const char *const script_names[SCRIPTS] = {\n\t\"none\",\n", (map { my $n = $_; $n =~ tr/_/ /; "\t\"$n\",\n" } sort keys %names), "};\n";
print "static const struct script_range {\n\tuint32_t first, last;\n\tenum script script;\n} script_ranges[] = {\n";
my $line = "\t";
for (@ranges) {
	my $one = sprintf("{ 0x%x, 0x%x, SCRIPT_%s },", $_->[0], $_->[1], uc $_->[2]);
	if (length($line) + length($one) > 90) {
		print "$line\n";
		$line = "\t";
	}
	$line .= ($line eq "\t" ? "" : " ") . $one;
}
print "$line\n};\n/* clang-format on */\n\n#endif\n";
