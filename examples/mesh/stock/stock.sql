create table stock (name text primary key, amount int not null);

insert into stock values ('tea', 41), ('coffee', 12), ('cocoa', 7);

