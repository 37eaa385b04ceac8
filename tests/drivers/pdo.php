<?php
// pdo.php - the scenario by PHP's PDO (pdo_pgsql), with prepares of the server's.
declare(strict_types=1);

/** The value for bindValue, and its type. */
function value_of(string $kind, string $text): array
{
    return match ($kind) {
        'int' => [(int) $text, PDO::PARAM_INT],
        'bool' => [$text === 'true', PDO::PARAM_BOOL],
        'bytes' => [hex2bin($text), PDO::PARAM_LOB],
        'array' => ['{' . $text . '}', PDO::PARAM_STR],
        'repeat' => [str_repeat('y', (int) $text), PDO::PARAM_STR],
        'null' => [null, PDO::PARAM_NULL],
        default => [$text, PDO::PARAM_STR],
    };
}

function scenario(): array
{
    $steps = [];
    foreach (file(__DIR__ . '/scenario', FILE_IGNORE_NEW_LINES) as $line) {
        $line = str_replace('SCHEMA', getenv('DRIVER_SCHEMA'), $line);
        $words = explode(' ', ltrim($line), 2) + [1 => ''];
        if (str_starts_with($line, '  ')) {
            $steps[count($steps) - 1]->values[] = value_of(...$words);
        } elseif ($line !== '' && $line[0] !== '#') {
            $steps[] = (object) ['verb' => $words[0], 'rest' => $words[1], 'values' => []];
        }
    }
    return $steps;
}

function say(string $text): void
{
    echo '  ', $text, "\n";
}

function say_sum(array $numbers): void
{
    say(count($numbers) . ' rows, sum ' . array_sum($numbers));
}

function shown(mixed $value, string $type): string
{
    return match (true) {
        $value === null => 'null',
        is_bool($value) => $value ? 'true' : 'false',
        is_resource($value) => '\\x' . bin2hex(stream_get_contents($value)),
        $type === '_int4' => '[' . str_replace([',', 'NULL'], [', ', 'null'], trim($value, '{}')) . ']',
        $type === 'timestamptz' => preg_replace('/^(\S+) ([\d:]+)\+00$/', '$1T$2Z', $value),
        default => (string) $value,
    };
}

final class Driver
{
    private PDO $db;
    private array $prepared = [];

    public function __construct()
    {
        $dsn = str_replace(' ', ';', getenv('DRIVER_DSN'));
        $this->db = new PDO("pgsql:$dsn", options: [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
            PDO::ATTR_EMULATE_PREPARES => false]);
    }

    private function query(string $sql, array $values = []): PDOStatement
    {
        $q = $this->db->prepare(preg_replace('/\$\d+/', '?', $sql));
        foreach ($values as $i => [$value, $type]) {
            $q->bindValue($i + 1, $value, $type);
        }
        $q->execute();
        return $q;
    }

    private function column(string $sql): array
    {
        return $this->query($sql)->fetchAll(PDO::FETCH_COLUMN);
    }

    public function do(object $s): void
    {
        $this->db->exec($s->rest);
    }

    public function rows(object $s): void
    {
        $q = $this->query($s->rest, $s->values);
        while ($row = $q->fetch(PDO::FETCH_NUM)) {
            $types = array_map(fn ($i) => $q->getColumnMeta($i)['native_type'], array_keys($row));
            say(implode(' | ', array_map(shown(...), $row, $types)));
        }
    }

    public function sum(object $s): void
    {
        say_sum($this->column($s->rest));
    }

    public function size(object $s): void
    {
        say((string) strlen($this->column($s->rest)[0]));
    }

    public function prepare(object $s): void
    {
        [$name, $sql] = explode(' ', $s->rest, 2);
        $this->prepared[$name] = $this->db->prepare(preg_replace('/\$\d+/', '?', $sql));
    }

    public function run(object $s): void
    {
        [$name, $count] = explode(' ', $s->rest);
        $got = [];
        for ($n = 0; $n < $count; $n++) {
            $this->prepared[$name]->execute([$n]);
            $got[] = $this->prepared[$name]->fetchColumn();
        }
        say(implode(', ', $got));
    }

    public function distinct(object $s): void
    {
        $kept = [];
        for ($n = 0; $n < $s->rest; $n++) {
            $kept[] = $this->query("select $n");
        }
        say((string) array_sum(array_map(fn ($q) => $q->fetchColumn(), $kept)));
    }

    public function begin(): void
    {
        $this->db->beginTransaction();
    }

    public function commit(): void
    {
        $this->db->commit();
    }

    public function rollback(): void
    {
        $this->db->rollBack();
    }

    public function savepoint(object $s): void
    {
        $this->db->exec("savepoint $s->rest");
    }

    public function rollback_to(object $s): void
    {
        $this->db->exec("rollback to $s->rest");
    }

    public function cursor(object $s): void
    {
        [$count, $sql] = explode(' ', $s->rest, 2);
        $this->db->beginTransaction();
        $this->db->exec("declare by_name cursor for $sql");
        $numbers = [];
        while ($piece = $this->column("fetch $count from by_name")) {
            array_push($numbers, ...$piece);
        }
        $this->db->commit();
        say_sum($numbers);
    }

    public function copy_in(object $s): void
    {
        [$table, $count] = explode(' ', $s->rest);
        $this->db->pgsqlCopyFromArray($table, array_map(fn ($n) => "$n\tcopied $n\\t\\\\ ☃",
            range(1000, 999 + (int) $count)));
    }

    public function copy_bad(object $s): void
    {
        $this->db->pgsqlCopyFromArray($s->rest, ["9000\tcopied 9000", "x\ty"]);
    }

    public function copy_out(object $s): void
    {
        $lines = $this->db->pgsqlCopyToArray("($s->rest)");
        say(count($lines) . ' lines, ' . array_sum(array_map(strlen(...), $lines)) . ' bytes');
    }

    public function pipeline(object $s): void
    {
        [$table, $first, $last] = explode(' ', $s->rest);
        say('(PDO has no pipeline: one statement executed again and again)');
        $q = $this->db->prepare("insert into $table values (?)");
        foreach (range((int) $first, (int) $last) as $n) {
            $q->execute([$n]);
        }
    }

    public function notice(object $s): void
    {
        $this->db->exec("do \$\$ begin raise notice '$s->rest'; end \$\$");
        say('(PDO keeps notices to itself)');
    }

    public function listen(object $s): void
    {
        [$channel, $text] = explode(' ', $s->rest, 2);
        $this->db->exec("listen $channel");
        $this->db->exec("notify $channel, '$text'");
        $heard = $this->db->pgsqlGetNotify(PDO::FETCH_ASSOC, 30000);
        say("{$heard['message']} {$heard['payload']}");
        $this->db->exec("unlisten $channel");
    }

    public function large_object(object $s): void
    {
        $size = (int) $s->rest;
        $this->db->beginTransaction();
        $oid = $this->db->pgsqlLOBCreate();
        $lob = $this->db->pgsqlLOBOpen($oid, 'w');
        fwrite($lob, implode('', array_map(fn ($i) => chr($i * 7 % 251), range(0, $size - 1))));
        $lob = null;
        $lob = $this->db->pgsqlLOBOpen($oid, 'r');
        $all = stream_get_contents($lob);
        fseek($lob, 10);
        say('\\x' . bin2hex(fread($lob, 5)) . ' of ' . strlen($all));
        $lob = null;
        $this->db->pgsqlLOBUnlink($oid);
        $this->db->commit();
    }

    public function cancel(object $s): void
    {
        say('(PDO cannot cancel: statement_timeout)');
        $this->db->beginTransaction();
        try {
            $this->db->exec("set local statement_timeout = 300");
            $this->db->exec($s->rest);
        } finally {
            $this->db->rollBack();
        }
    }
}

$driver = new Driver();
foreach (scenario() as $step) {
    if ($step->verb === 'section') {
        echo $step->rest, "\n";
        continue;
    }
    try {
        $driver->{$step->verb}($step);
    } catch (PDOException $e) {
        preg_match('/(?:ERROR|FATAL):\s+(.*)/', $e->getMessage(), $said);
        say('! ' . ($e->errorInfo[0] ?? $e->getCode()) . ' ' . ($said[1] ?? $e->getMessage()));
    }
}
