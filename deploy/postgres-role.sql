-- Run once, by the image of PostgreSQL, for an empty volume: makes the database, and its owner. The role of the image itself is
-- a superuser, whom no row-level security binds.
\set password `cat /run/secrets/carillon_password`
create role carillon login password :'password';
create database carillon owner carillon;
