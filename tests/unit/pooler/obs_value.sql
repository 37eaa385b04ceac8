-- Makes the rows of obs_value.h: values of each type in binary (hex) and as text.
set timezone='UTC'; set extra_float_digits=1; set bytea_output='hex'; set intervalstyle='postgres'; set datestyle='ISO';
\t \a \pset null ''
create or replace function pg_temp.row(v text, t text) returns text language plpgsql as $$
declare s text; h text; o text; oidv oid := t::regtype::oid; f text;
begin
 select typsend::oid::regproc::text into s from pg_type where oid=oidv;
 execute format('select encode(%s(%L::%s),''hex''), format(''%%s'', %L::%s)', s, v, t, v, t) into h,o;
 return format('	{%s, "%s", %s},', oidv, h, '"'||replace(replace(replace(replace(o,'\','\\'),'"','\"'),E'\n','\n'),E'\t','\t')||'"');
end $$;
with v(t,vals) as (values
 ('bool', array['t','f']),
 ('int2', array['0','-32768','32767']), ('int4', array['0','42','-2147483648']), ('int8', array['9223372036854775807','-9223372036854775808']),
 ('oid', array['4294967295']), ('xid', array['7']),
 ('float4', array['0','-0','1.5','0.1','123456.7','1e6','999999','1234567','1e-4','1e-5','0.00012345','3.4028235e38','1.17549435e-38','NaN','Infinity','-Infinity','16777216']),
 ('float8', array['0','-0','0.1','1.5','-2.25','1e14','1e15','123456789012345','1234567890123456','1.234567890123456e15','1e-4','1e-5','0.0001234','1e300','5e-324','1.7976931348623157e308','100','1e100','0.30000000000000004','NaN','-Infinity','9007199254740993']),
 ('numeric', array['0','0.0','1','-1','42.00','10000','10000.0001','0.0001','0.00001','123456789.123456789','-0.5','99999999','1e20','1e-20','NaN','Infinity','-Infinity','1234.5678900','0.10']),
 ('text', array['','a''b','é✓','a b\c','NULL']), ('varchar', array['x y']), ('bpchar', array['ab ']), ('name', array['n']), ('"char"', array['a']),
 ('bytea', array['','\x00ff10']), ('json', array['{"a": 1}']), ('jsonb', array['{"a": [1,2,"x"]}']), ('xml', array['<a/>']),
 ('uuid', array['00112233-4455-6677-8899-aabbccddeeff']),
 ('date', array['2000-01-01','1999-12-31','2024-02-29','1900-03-01','0001-01-01','0001-12-31 BC','0044-03-15 BC','4713-01-01 BC','9999-12-31','12345-06-07','infinity','-infinity']),
 ('time', array['00:00','12:34:56.789','24:00','23:59:59.999999']), ('timetz', array['12:34:56+00','01:02:03.5-08','01:02:03+05:30','01:02:03+05:30:15']),
 ('timestamp', array['2000-01-01','1999-12-31 23:59:59.5','2024-02-29 12:00:00.000001','0044-03-15 10:00:00 BC','infinity','-infinity','1969-07-20 20:17:40']),
 ('timestamptz', array['2024-02-29 12:00:00.12+00','1999-12-31 23:00:00-05','0044-03-15 10:00:00+00 BC']),
 ('interval', array['0','1 year','1 year 2 mons 3 days 04:05:06.789','-1 year','-1 day 02:00','1 mon -1 day','-00:00:01.5','1 day -00:30','2 mons -3 days -04:00:00','100:00:00','-13 mons']),
 ('inet', array['10.0.0.4','10.0.0.0/8','::1','2001:db8::1/64','::ffff:1.2.3.4']), ('cidr', array['10.0.0.0/8','10.0.0.4/32','2001:db8::/32']),
 ('int4[]', array['{}','{1,2,3}','{1,NULL,-3}','{{1,2},{3,4}}','{{{1},{2}},{{3},{4}}}']), ('int2[]', array['{7}']), ('int8[]', array['{1,9223372036854775807}']),
 ('text[]', array['{}','{a,b}','{"a b","c,d","","NULL",null,"q\"q","b\\s","{x}"}','{{a,b},{c,d}}','{é}']), ('varchar[]', array['{x}']), ('bpchar[]', array['{x}']), ('uuid[]', array['{00112233-4455-6677-8899-aabbccddeeff}']),
 ('bool[]', array['{t,f}']), ('float8[]', array['{0.1,1e20}']), ('float4[]', array['{0.1}']), ('numeric[]', array['{1.10,NaN}']), ('date[]', array['{2024-01-02}']), ('timestamp[]', array['{"2024-01-02 03:04:05"}']), ('timestamptz[]', array['{"2024-01-02 03:04:05+00"}']),
 ('jsonb[]', array['{"{\"a\": 1}"}']), ('json[]', array['{"{\"a\": 1}"}']), ('oid[]', array['{5}']), ('bytea[]', array['{"\\x0102"}']), ('inet[]', array['{10.0.0.1}']), ('cidr[]', array['{10.0.0.0/8}']), ('interval[]', array['{"1 day 02:00:00"}']), ('time[]', array['{01:02:03}']), ('timetz[]', array['{01:02:03+00}']), ('xml[]', array['{<a/>}']), ('name[]', array['{n}']), ('"char"[]', array['{a}'])
)
select pg_temp.row(x,t) from v, unnest(vals) with ordinality u(x,n);
