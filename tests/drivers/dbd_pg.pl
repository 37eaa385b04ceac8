#!/usr/bin/perl
# dbd_pg.pl - the scenario by Perl's DBD::Pg.
use v5.30;
use warnings;
use utf8;
use DBI qw(:sql_types);
use DBD::Pg qw(:pg_types :async);
use File::Basename qw(dirname);
use List::Util qw(sum0);
use POSIX qw(SEEK_SET SEEK_END);
use Time::HiRes qw(sleep);

binmode STDOUT, ':encoding(UTF-8)';
STDOUT->autoflush;

my %value_of = (
    bytes  => sub { [pack('H*', $_[0]), {pg_type => PG_BYTEA}] },
    array  => sub { [[map { $_ eq 'null' ? undef : $_ } split /,/, $_[0]]] },
    bool   => sub { [$_[0] eq 'true' ? 1 : 0, {pg_type => PG_BOOL}] },
    repeat => sub { ['y' x $_[0]] },
    null   => sub { [undef] },
);

sub scenario {
    my @steps;
    open my $file, '<:encoding(UTF-8)', dirname(__FILE__) . '/scenario' or die "scenario: $!";
    while (my $line = <$file>) {
        chomp $line;
        $line =~ s/SCHEMA/$ENV{DRIVER_SCHEMA}/g;
        if ($line =~ s/^  //) {
            my ($kind, $text) = split / /, $line, 2;
            push @{$steps[-1]{values}}, ($value_of{$kind} // sub { [$_[0]] })->($text);
        } elsif ($line ne '' && $line !~ /^#/) {
            my ($verb, $rest) = split / /, $line, 2;
            push @steps, {verb => $verb, rest => $rest // '', values => []};
        }
    }
    return @steps;
}

sub words { split / /, $_[0]{rest}, $_[1] + 1 }
sub say_line { say '  ', @_ }

sub say_sum { say_line(scalar(@_), ' rows, sum ', sum0 @_) }

sub connection {
    my $dsn = $_[0] =~ s/ /;/gr;
    return DBI->connect("dbi:Pg:$dsn", undef, undef,
        {RaiseError => 1, PrintError => 0, PrintWarn => 0, AutoCommit => 1, pg_enable_utf8 => 1});
}

my $db = connection($ENV{DRIVER_DSN});
my %prepared;

sub shown {
    my ($value, $type) = @_;
    return 'null' if !defined $value;
    return '[' . join(', ', map { $_ // 'null' } @$value) . ']' if ref $value;
    return $value ? 'true' : 'false'                 if $type eq 'bool';
    return '\\x' . unpack('H*', $value)              if $type eq 'bytea';
    return $value =~ s/^(\S+) ([\d:]+)\+00$/$1T$2Z/r if $type eq 'timestamptz';
    return $value;
}

sub rows {
    my ($sql, @values) = @_;
    my $q = $db->prepare($sql);
    $q->bind_param($_ + 1, @{$values[$_]}) for 0 .. $#values;
    $q->execute;
    return ($q->fetchall_arrayref, $q->{pg_type});
}

sub first_column { my ($rows) = rows(@_); return map { $_->[0] } @$rows }

my %act = (
    do   => sub { $db->do($_[0]{rest}) },
    rows => sub {
        my ($rows, $types) = rows($_[0]{rest}, @{$_[0]{values}});
        for my $r (@$rows) {
            say_line(join ' | ', map { shown($r->[$_], $types->[$_]) } 0 .. $#$r);
        }
    },
    sum     => sub { say_sum(first_column($_[0]{rest})) },
    size    => sub { say_line(map { length } first_column($_[0]{rest})) },
    prepare => sub {
        my ($name, $sql) = words($_[0], 1);
        $prepared{$name} = $db->prepare($sql, {pg_prepare_now => 1});
    },
    run => sub {
        my ($name, $count) = words($_[0], 1);
        my $q = $prepared{$name};
        say_line(join ', ', map { $q->execute($_); $q->fetchrow_array } 0 .. $count - 1);
        $q->finish;
    },
    distinct => sub {
        my @kept;
        my $sum = 0;
        for my $n (0 .. $_[0]{rest} - 1) {
            my $q = $db->prepare("select $n", {pg_prepare_now => 1});
            $q->execute;
            $sum += ($q->fetchrow_array)[0];
            push @kept, $q;
        }
        say_line($sum);
    },
    begin       => sub { $db->begin_work },
    commit      => sub { $db->commit },
    rollback    => sub { $db->rollback },
    savepoint   => sub { $db->pg_savepoint($_[0]{rest}) },
    rollback_to => sub { $db->pg_rollback_to($_[0]{rest}) },
    cursor      => sub {
        my ($count, $sql) = words($_[0], 1);
        my (@numbers, @piece);
        $db->begin_work;
        $db->do("declare by_name cursor for $sql");
        push @numbers, @piece while @piece = first_column("fetch $count from by_name");
        $db->commit;
        say_sum(@numbers);
    },
    copy_in => sub {
        my ($table, $count) = words($_[0], 1);
        $db->do("copy $table from stdin");
        $db->pg_putcopydata("$_\tcopied $_\\t\\\\ ☃\n") for 1000 .. 999 + $count;
        $db->pg_putcopyend;
    },
    copy_bad => sub {
        $db->do("copy $_[0]{rest} from stdin");
        $db->pg_putcopydata("9000\tcopied 9000\n");
        $db->pg_putcopydata("x\ty\n");
        $db->pg_putcopyend;
    },
    copy_out => sub {
        my ($lines, $bytes, $line) = (0, 0, '');
        $db->do("copy ($_[0]{rest}) to stdout");
        while ($db->pg_getcopydata($line) >= 0) {
            utf8::encode($line) if utf8::is_utf8($line);
            $lines++;
            $bytes += length $line;
        }
        say_line("$lines lines, $bytes bytes");
    },
    pipeline => sub {
        my ($table, $first, $last) = words($_[0], 2);
        say_line('(DBD::Pg has no pipeline: one statement executed again and again)');
        my $q = $db->prepare("insert into $table values (\$1)");
        $q->execute($_) for $first .. $last;
    },
    notice => sub {
        my $said = '';
        local $SIG{__WARN__} = sub { $said = $_[0] };
        local $db->{PrintWarn} = 1;
        $db->do("do \$\$ begin raise notice '$_[0]{rest}'; end \$\$");
        say_line('notice: ', $said =~ /NOTICE:  (.*)/);
    },
    listen => sub {
        my ($channel, $text) = words($_[0], 1);
        $db->do("listen $channel");
        $db->do('select pg_notify(?, ?)', undef, lc $channel, $text);
        my $heard;
        sleep 0.01 until $heard = $db->pg_notifies;
        say_line("$heard->[0] $heard->[2]");
        $db->do("unlisten $channel");
    },
    large_object => sub {
        my $size = $_[0]{rest};
        $db->begin_work;
        my $oid = $db->pg_lo_creat($db->{pg_INV_READ} | $db->{pg_INV_WRITE});
        my $lob = $db->pg_lo_open($oid, $db->{pg_INV_READ} | $db->{pg_INV_WRITE});
        my ($bytes, $back) = (pack('C*', map { $_ * 7 % 251 } 0 .. $size - 1), '');
        $db->pg_lo_write($lob, $bytes, $size) == $size or die 'large object';
        $db->pg_lo_lseek($lob, 10, SEEK_SET);
        $db->pg_lo_read($lob, $back, 5);
        say_line('\\x', unpack('H*', $back), ' of ', $db->pg_lo_lseek($lob, 0, SEEK_END));
        $db->pg_lo_close($lob);
        $db->pg_lo_unlink($oid);
        $db->commit;
    },
    cancel => sub {
        my $server = connection($ENV{DRIVER_SERVER});
        my $q = $db->prepare($_[0]{rest}, {pg_async => PG_ASYNC});
        $q->execute;
        sleep 0.01 until $server->selectrow_array(
            "select 1 from pg_stat_activity where state = 'active' and query = ?", undef, $_[0]{rest});
        $server->disconnect;
        $db->pg_cancel;
        # pg_cancel swallows the error that comes of it
        say_line('(DBD::Pg cancels what it runs aside, and keeps the answer)');
    },
);

for my $step (scenario()) {
    if ($step->{verb} eq 'section') {
        say $step->{rest};
    } elsif (!eval { $act{$step->{verb}}->($step); 1 }) {
        die $@ if !$db->err;
        my ($message) = $db->errstr =~ /(?:ERROR|FATAL):\s+(.*)/;
        say_line('! ', $db->state, ' ', $message);
    }
}
$db->disconnect;
