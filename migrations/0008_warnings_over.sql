-- Warnings that can be over, by when they came or, of low and empty, were over: to throw old ones away.
create index warnings_over on warnings (bucket, coalesce(over_at, at)) where over_at is not null or lot is not null;
