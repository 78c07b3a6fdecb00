select md5(string_agg(o::text, E'\n' order by o.id)) || '-' ||
       (select md5(string_agg(c::text, E'\n' order by c.id)) from customers c)
from orders o;
