#include <stdio.h>

int main(void)
{
	puts("private-registry");
	return 0;
}
