module sealpost-example

go 1.20
